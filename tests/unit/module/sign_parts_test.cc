#include "keybroker/cryptoki/mechanism.h"
#include "keybroker/wire/sign.h"
#include "support/module_fixture.h"

namespace keybroker::module {
namespace {

using cryptoki::SignMechanism;
using test::FakeKey;
using Bytes = std::vector<uint8_t>;

// Mechanism is a CK_MECHANISM with the parameters that go with it.
struct Mechanism {
  explicit Mechanism(const SignMechanism& known) {
    mechanism.mechanism = known.type;
    if (known.scheme != cryptoki::Scheme::kRsaPss) return;
    pss = {cryptoki::DigestMechanism(known.digest), cryptoki::DigestMgf(known.digest),
           cryptoki::DigestSize(known.digest)};
    mechanism.pParameter = &pss;
    mechanism.ulParameterLen = sizeof pss;
  }
  CK_RSA_PKCS_PSS_PARAMS pss{};
  CK_MECHANISM mechanism{};
};

class SignParts : public test::ModuleTest {
 protected:
  SignParts() {
    Start({rsa_, ec_});
    session_ = Open();
    rsa_key_ = PrivateKey(session_, rsa_);
    ec_key_ = PrivateKey(session_, ec_);
  }
  CK_RV Init(CK_MECHANISM_TYPE type = CKM_ECDSA_SHA256) {
    CK_MECHANISM mechanism{type, nullptr, 0};
    return api_->C_SignInit(session_, &mechanism, ec_key_);
  }
  CK_RV Update(Bytes part) { return api_->C_SignUpdate(session_, part.data(), part.size()); }
  CK_RV Final(Bytes* signature) {
    signature->assign(1024, 0xee);
    CK_ULONG size = signature->size();
    const CK_RV rv = api_->C_SignFinal(session_, signature->data(), &size);
    signature->resize(rv == CKR_OK ? size : 0);
    return rv;
  }
  Bytes DataSent() {
    const auto message = broker_.Last();
    const auto request = wire::DecodeSignRequest(message.body);
    return request ? Bytes(request->data.begin(), request->data.end()) : Bytes();
  }

  const FakeKey rsa_ = test::RsaKey("a.example.test", 1);
  const FakeKey ec_ = test::EcKey("a.example.test", 2);
  CK_SESSION_HANDLE session_ = CK_INVALID_HANDLE;
  CK_OBJECT_HANDLE rsa_key_ = CK_INVALID_HANDLE;
  CK_OBJECT_HANDLE ec_key_ = CK_INVALID_HANDLE;
};

TEST_F(SignParts, GoInOneMessageWithEveryMechanismThatHashes) {
  const Bytes whole = {'i', 'n', ' ', 'p', 'a', 'r', 't', 's'};
  for (const SignMechanism& known : cryptoki::AllSignMechanisms()) {
    Mechanism mechanism(known);
    const bool rsa = known.key_type == cryptoki::KeyType::kRsa;
    const size_t before = broker_.signs();
    ASSERT_EQ(api_->C_SignInit(session_, &mechanism.mechanism, rsa ? rsa_key_ : ec_key_), CKR_OK)
        << known.name;
    if (!known.hashes) {
      EXPECT_EQ(Update({1}), CKR_FUNCTION_NOT_SUPPORTED) << known.name;
      continue;
    }
    for (const uint8_t byte : whole) ASSERT_EQ(Update({byte}), CKR_OK);
    EXPECT_EQ(broker_.signs(), before) << known.name;
    Bytes signature;
    EXPECT_EQ(Final(&signature), CKR_OK) << known.name;
    EXPECT_EQ(signature, RightSignature(rsa ? rsa_ : ec_, whole)) << known.name;
    EXPECT_EQ(broker_.signs(), before + 1) << known.name;
  }
}

TEST_F(SignParts, MakeTheSameMessageAsASingleCall) {
  const Bytes data(1000, 'd');
  ASSERT_EQ(Sign(session_, ec_key_, {CKM_ECDSA_SHA384, nullptr, 0}, data).rv, CKR_OK);
  const Bytes single = broker_.Last().body;
  ASSERT_EQ(Init(CKM_ECDSA_SHA384), CKR_OK);
  for (int i = 0; i < 10; ++i) ASSERT_EQ(Update(Bytes(100, 'd')), CKR_OK);
  Bytes signature;
  ASSERT_EQ(Final(&signature), CKR_OK);
  const Bytes parts = broker_.Last().body;
  constexpr size_t kDeadline = wire::kKeyRefSize + 4;
  EXPECT_EQ(Bytes(single.begin(), single.begin() + kDeadline),
            Bytes(parts.begin(), parts.begin() + kDeadline));
  EXPECT_EQ(Bytes(single.begin() + kDeadline + 8, single.end()),
            Bytes(parts.begin() + kDeadline + 8, parts.end()));
}

TEST_F(SignParts, MayBeNoneOrEmpty) {
  ASSERT_EQ(Init(), CKR_OK);
  EXPECT_EQ(api_->C_SignUpdate(session_, nullptr, 0), CKR_OK);
  Bytes signature;
  EXPECT_EQ(Final(&signature), CKR_OK);
  EXPECT_EQ(signature.size(), 64u);
  ASSERT_EQ(Init(), CKR_OK);
  EXPECT_EQ(Final(&signature), CKR_OK) << "without a C_SignUpdate";
  EXPECT_TRUE(DataSent().empty());
}

TEST_F(SignParts, SayTheLengthWithoutASignature) {
  ASSERT_EQ(Init(), CKR_OK);
  ASSERT_EQ(Update({1, 2, 3}), CKR_OK);
  CK_ULONG size = 0;
  EXPECT_EQ(api_->C_SignFinal(session_, nullptr, &size), CKR_OK);
  EXPECT_EQ(size, 64u);
  Bytes room(63);
  size = 63;
  EXPECT_EQ(api_->C_SignFinal(session_, room.data(), &size), CKR_BUFFER_TOO_SMALL);
  EXPECT_EQ(size, 64u);
  EXPECT_EQ(broker_.signs(), 0u);
  Bytes signature;
  EXPECT_EQ(Final(&signature), CKR_OK);
  EXPECT_EQ(broker_.signs(), 1u);
  EXPECT_EQ(DataSent(), (Bytes{1, 2, 3}));
}

TEST_F(SignParts, AreCollectedUpToTheCap) {
  ASSERT_EQ(Init(), CKR_OK);
  for (size_t i = 0; i < wire::kMaxSignData / 4096; ++i) {
    ASSERT_EQ(Update(Bytes(4096, 'p')), CKR_OK);
  }
  Bytes signature;
  EXPECT_EQ(Final(&signature), CKR_OK);
  EXPECT_EQ(DataSent(), Bytes(wire::kMaxSignData, 'p'));

  ASSERT_EQ(Init(), CKR_OK);
  ASSERT_EQ(Update(Bytes(wire::kMaxSignData, 'p')), CKR_OK);
  EXPECT_EQ(Update({1}), CKR_DATA_LEN_RANGE);
  EXPECT_EQ(Final(&signature), CKR_OPERATION_NOT_INITIALIZED) << "the error ended it";
  ASSERT_EQ(Init(), CKR_OK);
  EXPECT_EQ(api_->C_SignUpdate(session_, Digest().data(), ~CK_ULONG{0}), CKR_DATA_LEN_RANGE);
  EXPECT_EQ(broker_.signs(), 1u);
}

TEST_F(SignParts, HaveTheSameCapInASingleCall) {
  const Bytes data(wire::kMaxSignData + 1, 's');
  const std::span<const uint8_t> all(data);
  const CK_MECHANISM mechanism{CKM_ECDSA_SHA256, nullptr, 0};
  EXPECT_EQ(Sign(session_, ec_key_, mechanism, all).rv, CKR_DATA_LEN_RANGE);
  EXPECT_EQ(broker_.signs(), 0u);
  EXPECT_EQ(Sign(session_, ec_key_, mechanism, all.first(wire::kMaxSignData)).rv, CKR_OK);
}

TEST_F(SignParts, AreFinishedByFinalOnly) {
  ASSERT_EQ(Init(), CKR_OK);
  ASSERT_EQ(Update({1}), CKR_OK);
  Bytes room(64);
  CK_ULONG size = room.size();
  EXPECT_EQ(api_->C_Sign(session_, room.data(), 1, room.data(), &size),
            CKR_OPERATION_NOT_INITIALIZED);
  EXPECT_EQ(broker_.signs(), 0u);
}

TEST_F(SignParts, AreForgottenWithTheOperation) {
  Bytes room(64);
  CK_ULONG size = 64;
  ASSERT_EQ(Init(), CKR_OK);
  ASSERT_EQ(Update({1, 2, 3}), CKR_OK);
  EXPECT_EQ(api_->C_SignUpdate(session_, nullptr, 1), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(Update({4}), CKR_OPERATION_NOT_INITIALIZED);
  ASSERT_EQ(Init(), CKR_OK);
  ASSERT_EQ(Update({5}), CKR_OK);
  EXPECT_EQ(api_->C_SignFinal(session_, room.data(), nullptr), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(api_->C_SignFinal(session_, room.data(), &size), CKR_OPERATION_NOT_INITIALIZED);
  ASSERT_EQ(Init(), CKR_OK);
  ASSERT_EQ(Update({6}), CKR_OK);
  ASSERT_EQ(api_->C_SignFinal(session_, room.data(), &size), CKR_OK);
  EXPECT_EQ(DataSent(), Bytes{6});
}

}  // namespace
}  // namespace keybroker::module
