#include "keybroker/cryptoki/mechanism.h"
#include "keybroker/wire/sign.h"
#include "support/module_fixture.h"

namespace keybroker::module {
namespace {

using test::FakeKey;
using Bytes = std::vector<uint8_t>;

// What C_SignInit says to a mechanism, its parameters and a key.
class SignMechanisms : public test::ModuleTest {
 protected:
  SignMechanisms() {
    tiny_.bits = 512;
    odd_.bits = 1025;
    Start({rsa_, ec_, tiny_, odd_});
    session_ = Open();
  }
  CK_RV Init(const FakeKey& key, CK_MECHANISM mechanism) {
    const CK_RV rv = api_->C_SignInit(session_, &mechanism, PrivateKey(session_, key));
    if (rv == CKR_OK) api_->C_Sign(session_, nullptr, 1, nullptr, nullptr);  // ends it
    return rv;
  }
  CK_RV Init(const FakeKey& key, CK_MECHANISM_TYPE type) { return Init(key, {type, nullptr, 0}); }
  CK_RV Pss(const FakeKey& key, CK_MECHANISM_TYPE type, CK_RSA_PKCS_PSS_PARAMS pss) {
    return Init(key, {type, &pss, sizeof pss});
  }

  const FakeKey rsa_ = test::RsaKey("a.example.test", 1);
  const FakeKey ec_ = test::EcKey("a.example.test", 2);
  FakeKey tiny_ = test::RsaKey("tiny.example.test", 3);
  FakeKey odd_ = test::RsaKey("odd.example.test", 4);
  CK_SESSION_HANDLE session_ = CK_INVALID_HANDLE;
};

TEST_F(SignMechanisms, GoWithTheirTypeOfKey) {
  CK_RSA_PKCS_PSS_PARAMS pss{CKM_SHA256, CKG_MGF1_SHA256, 32};
  for (const auto& known : cryptoki::AllSignMechanisms()) {
    const bool is_rsa = known.key_type == cryptoki::KeyType::kRsa;
    EXPECT_EQ(Init(is_rsa ? ec_ : rsa_, {known.type, &pss, sizeof pss}), CKR_KEY_TYPE_INCONSISTENT)
        << known.name;
  }
}

TEST_F(SignMechanisms, AreOfAClosedList) {
  for (const CK_MECHANISM_TYPE type :
       {CK_MECHANISM_TYPE{CKM_RSA_X_509}, CK_MECHANISM_TYPE{CKM_SHA1_RSA_PKCS},
        CK_MECHANISM_TYPE{CKM_SHA224_RSA_PKCS}, CK_MECHANISM_TYPE{CKM_RSA_PKCS_OAEP},
        CK_MECHANISM_TYPE{CKM_SHA1_RSA_PKCS_PSS}, CK_MECHANISM_TYPE{CKM_ECDSA_SHA1},
        CK_MECHANISM_TYPE{CKM_ECDH1_DERIVE}, ~CK_MECHANISM_TYPE{0},
        CKM_RSA_PKCS | CK_MECHANISM_TYPE{1} << 32, CKM_ECDSA | CK_MECHANISM_TYPE{1} << 63}) {
    EXPECT_EQ(Init(rsa_, type), CKR_MECHANISM_INVALID) << type;
    EXPECT_EQ(Init(ec_, type), CKR_MECHANISM_INVALID) << type;
  }
}

TEST_F(SignMechanisms, TakeNoParametersButPss) {
  uint8_t something[8] = {};
  for (const auto& known : cryptoki::AllSignMechanisms()) {
    if (known.scheme == cryptoki::Scheme::kRsaPss) continue;
    const FakeKey& key = known.key_type == cryptoki::KeyType::kRsa ? rsa_ : ec_;
    EXPECT_EQ(Init(key, {known.type, something, sizeof something}), CKR_MECHANISM_PARAM_INVALID)
        << known.name;
    EXPECT_EQ(Init(key, {known.type, nullptr, 8}), CKR_MECHANISM_PARAM_INVALID) << known.name;
    EXPECT_EQ(Init(key, {known.type, something, 0}), CKR_OK) << known.name;
  }
}

TEST_F(SignMechanisms, TakePssParametersOfTheirSize) {
  CK_RSA_PKCS_PSS_PARAMS pss[2] = {{CKM_SHA256, CKG_MGF1_SHA256, 32}, {}};
  for (const CK_ULONG size :
       {CK_ULONG{0}, CK_ULONG{1}, sizeof pss[0] - 1, sizeof pss[0] + 1, sizeof pss, ~CK_ULONG{0}}) {
    EXPECT_EQ(Init(rsa_, {CKM_RSA_PKCS_PSS, pss, size}), CKR_MECHANISM_PARAM_INVALID) << size;
  }
  EXPECT_EQ(Init(rsa_, {CKM_RSA_PKCS_PSS, nullptr, sizeof pss[0]}), CKR_MECHANISM_PARAM_INVALID);
  // Parameters are a host's bytes, at any address.
  uint8_t bytes[sizeof pss[0] + 1];
  memcpy(bytes + 1, pss, sizeof pss[0]);
  EXPECT_EQ(Init(rsa_, {CKM_RSA_PKCS_PSS, bytes + 1, sizeof pss[0]}), CKR_OK);
}

TEST_F(SignMechanisms, TakePssParametersOfKnownValues) {
  constexpr CK_ULONG kHigh = CK_ULONG{1} << 32;
  EXPECT_EQ(Pss(rsa_, CKM_RSA_PKCS_PSS, {CKM_SHA384, CKG_MGF1_SHA256, 0}), CKR_OK)
      << "hash and mask generation may differ";
  for (const CK_RSA_PKCS_PSS_PARAMS& wrong :
       {CK_RSA_PKCS_PSS_PARAMS{CKM_SHA_1, CKG_MGF1_SHA256, 20},
        CK_RSA_PKCS_PSS_PARAMS{CKM_SHA256, CKG_MGF1_SHA1, 32},
        CK_RSA_PKCS_PSS_PARAMS{CKM_SHA256, 0, 32},
        CK_RSA_PKCS_PSS_PARAMS{CKM_SHA256 | kHigh, CKG_MGF1_SHA256, 32},
        CK_RSA_PKCS_PSS_PARAMS{CKM_SHA256, CKG_MGF1_SHA256 | kHigh, 32},
        CK_RSA_PKCS_PSS_PARAMS{CKM_SHA256, CKG_MGF1_SHA256, 32 | kHigh}}) {
    EXPECT_EQ(Pss(rsa_, CKM_RSA_PKCS_PSS, wrong), CKR_MECHANISM_PARAM_INVALID)
        << wrong.hashAlg << ' ' << wrong.mgf << ' ' << wrong.sLen;
  }
  EXPECT_EQ(Pss(rsa_, CKM_SHA384_RSA_PKCS_PSS, {CKM_SHA256, CKG_MGF1_SHA256, 32}),
            CKR_MECHANISM_PARAM_INVALID)
      << "the mechanism says which hash it is";
}

// RFC 8017 section 9.1.1: emLen >= hLen + sLen + 2, and emLen is of the modulus less one bit.
TEST_F(SignMechanisms, TakeASaltThatTheKeyHasRoomFor) {
  const auto salt = [this](const FakeKey& key, CK_ULONG size) {
    return Pss(key, CKM_RSA_PKCS_PSS, {CKM_SHA256, CKG_MGF1_SHA256, size});
  };
  EXPECT_EQ(salt(rsa_, 256 - 32 - 2), CKR_OK);
  EXPECT_EQ(salt(rsa_, 256 - 32 - 1), CKR_MECHANISM_PARAM_INVALID);
  EXPECT_EQ(salt(odd_, 128 - 32 - 2), CKR_OK);
  EXPECT_EQ(salt(odd_, 129 - 32 - 2), CKR_MECHANISM_PARAM_INVALID) << "1025 bits: 128 bytes";
  EXPECT_EQ(Pss(tiny_, CKM_RSA_PKCS_PSS, {CKM_SHA512, CKG_MGF1_SHA512, 0}), CKR_KEY_SIZE_RANGE);
  EXPECT_EQ(Init(tiny_, CKM_SHA256_RSA_PKCS), CKR_OK);
  EXPECT_EQ(Init(tiny_, CKM_SHA512_RSA_PKCS), CKR_KEY_SIZE_RANGE);
}

TEST_F(SignMechanisms, SendPssParametersAlong) {
  CK_RSA_PKCS_PSS_PARAMS pss{CKM_SHA384, CKG_MGF1_SHA512, 17};
  const Bytes digest(48, 3);
  ASSERT_EQ(
      Sign(session_, PrivateKey(session_, rsa_), {CKM_RSA_PKCS_PSS, &pss, sizeof pss}, digest).rv,
      CKR_OK);
  const auto message = broker_.Last();
  const auto request = wire::DecodeSignRequest(message.body);
  ASSERT_TRUE(request && request->pss);
  EXPECT_EQ(request->mechanism, CKM_RSA_PKCS_PSS);
  EXPECT_EQ(request->pss->hash, CKM_SHA384);
  EXPECT_EQ(request->pss->mgf, CKG_MGF1_SHA512);
  EXPECT_EQ(request->pss->salt_length, 17u);
}

TEST_F(SignMechanisms, TakeDataOfTheirSize) {
  CK_RSA_PKCS_PSS_PARAMS pss{CKM_SHA384, CKG_MGF1_SHA384, 48};
  const auto rv = [this](const FakeKey& key, CK_MECHANISM mechanism, size_t size) {
    return Sign(session_, PrivateKey(session_, key), mechanism, Bytes(size, 1)).rv;
  };
  const CK_MECHANISM by_pss = {CKM_RSA_PKCS_PSS, &pss, sizeof pss};
  for (const size_t size : {0u, 32u, 47u, 49u, 64u}) {
    EXPECT_EQ(rv(rsa_, by_pss, size), CKR_DATA_LEN_RANGE) << size;
  }
  EXPECT_EQ(rv(rsa_, by_pss, 48), CKR_OK);
  const CK_MECHANISM pkcs1 = {CKM_RSA_PKCS, nullptr, 0};
  EXPECT_EQ(rv(rsa_, pkcs1, 0), CKR_DATA_LEN_RANGE);
  EXPECT_EQ(rv(rsa_, pkcs1, 256 - 11), CKR_OK);
  EXPECT_EQ(rv(rsa_, pkcs1, 256 - 10), CKR_DATA_LEN_RANGE);
  const CK_MECHANISM ecdsa = {CKM_ECDSA, nullptr, 0};
  EXPECT_EQ(rv(ec_, ecdsa, 64), CKR_OK);
  EXPECT_EQ(rv(ec_, ecdsa, 65), CKR_DATA_LEN_RANGE);
  EXPECT_EQ(broker_.signs(), 3u) << "what does not fit was never sent";
}

}  // namespace
}  // namespace keybroker::module
