#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <tuple>

#include "contract/backend.h"
#include "contract/verify.h"
#include "keybroker/cryptoki/mechanism.h"

namespace keybroker::contract {
namespace {

using cryptoki::KeyType;
using testing::AnyOf;
using testing::IsEmpty;

struct Kind {
  const char* name;
  std::unique_ptr<Backend> (*make)();
  // The length C_Sign tells for P-256 when asked: NSS says the longest that any ECDSA key gives.
  CK_ULONG announced = 64;
};

// TokenContract runs the same expectations on every backend: exact lists, equal results.
class TokenContract : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    backend_ = &Shared(GetParam().make);
    api_ = &backend_->api();
    ASSERT_EQ(
        api_->C_OpenSession(backend_->slot(), CKF_SERIAL_SESSION, nullptr, nullptr, &session_),
        CKR_OK);
  }
  void TearDown() override { api_->C_CloseSession(session_); }

  std::vector<CK_OBJECT_HANDLE> Find(std::vector<CK_ATTRIBUTE> match) {
    EXPECT_EQ(api_->C_FindObjectsInit(session_, match.data(), match.size()), CKR_OK);
    CK_OBJECT_HANDLE found[32];
    CK_ULONG count = 0;
    EXPECT_EQ(api_->C_FindObjects(session_, found, 32, &count), CKR_OK);
    EXPECT_EQ(api_->C_FindObjectsFinal(session_), CKR_OK);
    return {found, found + count};
  }
  std::vector<CK_OBJECT_HANDLE> FindClass(CK_OBJECT_CLASS object_class) {
    return Find({{CKA_CLASS, &object_class, sizeof object_class}});
  }
  std::vector<uint8_t> Read(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) {
    CK_ATTRIBUTE attribute{type, nullptr, 0};
    EXPECT_EQ(api_->C_GetAttributeValue(session_, object, &attribute, 1), CKR_OK);
    std::vector<uint8_t> value(attribute.ulValueLen);
    attribute.pValue = value.data();
    EXPECT_EQ(api_->C_GetAttributeValue(session_, object, &attribute, 1), CKR_OK);
    return value;
  }
  CK_OBJECT_HANDLE PrivateKey(const ExpectedKey& key) {
    CK_OBJECT_CLASS object_class = CKO_PRIVATE_KEY;
    auto id = key.id;
    const auto found =
        Find({{CKA_CLASS, &object_class, sizeof object_class}, {CKA_ID, id.data(), id.size()}});
    EXPECT_EQ(found.size(), 1u);
    return found.empty() ? CK_INVALID_HANDLE : found[0];
  }
  ExpectedKey Rsa() { return backend_->keys()[0]; }
  ExpectedKey Ec() { return backend_->keys()[1]; }

  CK_RV SignInit(CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE key) {
    CK_MECHANISM mechanism{type, nullptr, 0};
    return api_->C_SignInit(session_, &mechanism, key);
  }
  std::vector<uint8_t> Sign(std::vector<uint8_t> data) {
    std::vector<uint8_t> signature(1024);
    CK_ULONG size = signature.size();
    EXPECT_EQ(api_->C_Sign(session_, data.data(), data.size(), signature.data(), &size), CKR_OK);
    signature.resize(size);
    return signature;
  }

  using Row = std::tuple<std::vector<uint8_t>, std::string, CK_KEY_TYPE>;
  std::multiset<Row> Rows(CK_OBJECT_CLASS object_class) {
    std::multiset<Row> rows;
    for (const CK_OBJECT_HANDLE object : FindClass(object_class)) {
      const auto label = Read(object, CKA_LABEL);
      const auto type = Read(object, CKA_KEY_TYPE);
      CK_KEY_TYPE key_type = 0;
      if (type.size() == sizeof key_type) memcpy(&key_type, type.data(), sizeof key_type);
      rows.insert({Read(object, CKA_ID), std::string(label.begin(), label.end()), key_type});
    }
    return rows;
  }
  std::multiset<Row> ExpectedRows() {
    std::multiset<Row> rows;
    for (const ExpectedKey& key : backend_->keys()) {
      rows.insert({key.id, kKeyName, cryptoki::CkKeyType(key.type)});
    }
    return rows;
  }

  Backend* backend_ = nullptr;
  const CK_FUNCTION_LIST* api_ = nullptr;
  CK_SESSION_HANDLE session_ = CK_INVALID_HANDLE;
};

TEST_P(TokenContract, ShowsExactlyItsPrivateAndPublicKeys) {
  EXPECT_EQ(Rows(CKO_PRIVATE_KEY), ExpectedRows());
  EXPECT_EQ(Rows(CKO_PUBLIC_KEY), ExpectedRows());
}

TEST_P(TokenContract, FindsNothingWhereNothingFits) {
  CK_OBJECT_CLASS object_class = CKO_PRIVATE_KEY;
  uint8_t id[] = {1, 2, 3};
  EXPECT_THAT(Find({{CKA_CLASS, &object_class, sizeof object_class}, {CKA_ID, id, sizeof id}}),
              IsEmpty());
}

TEST_P(TokenContract, SignsWithTheRawMechanisms) {
  const std::vector<uint8_t> digest(32, 0x5a);
  ASSERT_EQ(SignInit(CKM_ECDSA, PrivateKey(Ec())), CKR_OK);
  EXPECT_TRUE(VerifiesEcdsa(Ec().spki, digest, Sign(digest)));
  const auto prefix = cryptoki::DigestInfoPrefix(cryptoki::Digest::kSha256);
  std::vector<uint8_t> info(prefix.begin(), prefix.end());
  info.insert(info.end(), digest.begin(), digest.end());
  ASSERT_EQ(SignInit(CKM_RSA_PKCS, PrivateKey(Rsa())), CKR_OK);
  EXPECT_TRUE(VerifiesRsa(Rsa().spki, digest, Sign(info), false));
}

TEST_P(TokenContract, SignsPssWithItsParameters) {
  const std::vector<uint8_t> digest(32, 0xa5);
  CK_RSA_PKCS_PSS_PARAMS parameters{CKM_SHA256, CKG_MGF1_SHA256, 32};
  CK_MECHANISM mechanism{CKM_RSA_PKCS_PSS, &parameters, sizeof parameters};
  ASSERT_EQ(api_->C_SignInit(session_, &mechanism, PrivateKey(Rsa())), CKR_OK);
  EXPECT_TRUE(VerifiesRsa(Rsa().spki, digest, Sign(digest), true));
}

TEST_P(TokenContract, SignsAMessageInParts) {
  ASSERT_EQ(SignInit(CKM_SHA256_RSA_PKCS, PrivateKey(Rsa())), CKR_OK);
  std::vector<uint8_t> part(700, 'p');
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(api_->C_SignUpdate(session_, part.data(), part.size()), CKR_OK);
  }
  std::vector<uint8_t> signature(256);
  CK_ULONG size = signature.size();
  ASSERT_EQ(api_->C_SignFinal(session_, signature.data(), &size), CKR_OK);
  EXPECT_EQ(size, 256u);
  EXPECT_TRUE(VerifiesRsa(Rsa().spki, Sha256(std::vector<uint8_t>(2100, 'p')), signature, false));
}

TEST_P(TokenContract, TellsTheLengthAndKeepsTheOperationWhenTheBufferIsTooSmall) {
  std::vector<uint8_t> digest(32, 1);
  ASSERT_EQ(SignInit(CKM_ECDSA, PrivateKey(Ec())), CKR_OK);
  CK_ULONG size = 0;
  ASSERT_EQ(api_->C_Sign(session_, digest.data(), digest.size(), nullptr, &size), CKR_OK);
  EXPECT_EQ(size, GetParam().announced);
  uint8_t small[63];
  size = sizeof small;
  ASSERT_EQ(api_->C_Sign(session_, digest.data(), digest.size(), small, &size),
            CKR_BUFFER_TOO_SMALL);
  EXPECT_TRUE(VerifiesEcdsa(Ec().spki, digest, Sign(digest)));
}

TEST_P(TokenContract, EndsTheOperationWithTheSignature) {
  // SoftHSM allows no search while a signature is begun.
  const CK_OBJECT_HANDLE key = PrivateKey(Ec());
  ASSERT_EQ(SignInit(CKM_ECDSA, key), CKR_OK);
  EXPECT_EQ(SignInit(CKM_ECDSA, key), CKR_OPERATION_ACTIVE);
  std::vector<uint8_t> digest(32, 1);
  Sign(digest);
  uint8_t out[64];
  CK_ULONG size = sizeof out;
  EXPECT_EQ(api_->C_Sign(session_, digest.data(), digest.size(), out, &size),
            CKR_OPERATION_NOT_INITIALIZED);
}

TEST_P(TokenContract, RefusesWhatDoesNotFit) {
  EXPECT_EQ(SignInit(0x7ffff123UL, PrivateKey(Rsa())), CKR_MECHANISM_INVALID);
  // SoftHSM looks at CKA_ALLOWED_MECHANISMS before it looks at the key's type.
  EXPECT_THAT(SignInit(CKM_ECDSA, PrivateKey(Rsa())),
              AnyOf(CKR_KEY_TYPE_INCONSISTENT, CKR_MECHANISM_INVALID));
  EXPECT_EQ(api_->C_CloseSession(session_ + 1000), CKR_SESSION_HANDLE_INVALID);
  CK_TOKEN_INFO info;
  EXPECT_EQ(api_->C_GetTokenInfo(0x7ffffff0UL, &info), CKR_SLOT_ID_INVALID);
}

TEST_P(TokenContract, KeepsThePrivateKeyToItself) {
  CK_ATTRIBUTE attribute{CKA_PRIVATE_EXPONENT, nullptr, 0};
  EXPECT_EQ(api_->C_GetAttributeValue(session_, PrivateKey(Rsa()), &attribute, 1),
            CKR_ATTRIBUTE_SENSITIVE);
  attribute = {CKA_VALUE, nullptr, 0};
  EXPECT_EQ(api_->C_GetAttributeValue(session_, PrivateKey(Ec()), &attribute, 1),
            CKR_ATTRIBUTE_SENSITIVE);
}

TEST_P(TokenContract, AnswersEveryAttributeOfATemplate) {
  char label[64];
  uint8_t small[1];
  CK_ATTRIBUTE attributes[] = {
      {CKA_LABEL, label, sizeof label}, {CKA_ID, small, sizeof small}, {CKA_SIGN, nullptr, 0}};
  EXPECT_EQ(api_->C_GetAttributeValue(session_, PrivateKey(Ec()), attributes, 3),
            CKR_BUFFER_TOO_SMALL);
  EXPECT_EQ(std::string(label, attributes[0].ulValueLen), kKeyName);
  EXPECT_EQ(attributes[1].ulValueLen, CK_UNAVAILABLE_INFORMATION);
  EXPECT_EQ(attributes[2].ulValueLen, sizeof(CK_BBOOL));
}

INSTANTIATE_TEST_SUITE_P(On, TokenContract,
                         testing::Values(Kind{"SoftHsm", MakeSoftHsmBackend},
                                         Kind{"Nss", MakeNssBackend, 144},
                                         Kind{"KeybrokerOnSoftHsm", MakeBrokerBackend},
                                         Kind{"KeybrokerOnNss", MakeBrokerOnNssBackend}),
                         [](const auto& kind) { return std::string(kind.param.name); });

}  // namespace
}  // namespace keybroker::contract
