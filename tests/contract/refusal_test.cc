#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "contract/backend.h"
#include "contract/verify.h"
#include "keybroker/cryptoki/mechanism.h"
#include "keybroker/cryptoki/names.h"

namespace keybroker::contract {
namespace {

// Kind is a backend, with what it is known to answer where tokens differ from the standard: the
// name of the case, the name of the CK_RV. Measured; a backend that mends its ways fails the test.
struct Kind {
  const char* name;
  std::unique_ptr<Backend> (*make)();
  std::map<std::string, std::string> differs;
};
void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

// RefusalContract: what does not fit is refused alike, and the session signs on afterwards.
class RefusalContract : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    backend_ = &Shared(GetParam().make);
    api_ = &backend_->api();
    ASSERT_EQ(
        api_->C_OpenSession(backend_->slot(), CKF_SERIAL_SESSION, nullptr, nullptr, &session_),
        CKR_OK);
    rsa_ = Find(CKO_PRIVATE_KEY, backend_->keys()[0]);
    ec_ = Find(CKO_PRIVATE_KEY, backend_->keys()[1]);
  }
  void TearDown() override { api_->C_CloseSession(session_); }

  CK_OBJECT_HANDLE Find(CK_OBJECT_CLASS object_class, const ExpectedKey& key) {
    auto id = key.id;
    CK_ATTRIBUTE match[] = {{CKA_CLASS, &object_class, sizeof object_class},
                            {CKA_ID, id.data(), id.size()}};
    CK_OBJECT_HANDLE found = CK_INVALID_HANDLE;
    CK_ULONG count = 0;
    EXPECT_EQ(api_->C_FindObjectsInit(session_, match, 2), CKR_OK);
    EXPECT_EQ(api_->C_FindObjects(session_, &found, 1, &count), CKR_OK);
    EXPECT_EQ(api_->C_FindObjectsFinal(session_), CKR_OK);
    EXPECT_EQ(count, 1u);
    return found;
  }

  // Answer is rv, or what the backend is known to answer in the named case.
  std::string Answer(const std::string& name, CK_RV rv) {
    const auto known = GetParam().differs.find(name);
    return known == GetParam().differs.end() ? cryptoki::RvName(rv) : known->second;
  }

  std::string SignInit(CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE key) {
    CK_MECHANISM mechanism{type, nullptr, 0};
    return cryptoki::RvName(api_->C_SignInit(session_, &mechanism, key));
  }
  std::string Sign(std::vector<uint8_t> data) {
    signature_.assign(1024, 0);
    CK_ULONG size = signature_.size();
    data.reserve(1);  // data() is not NULL
    const CK_RV rv = api_->C_Sign(session_, data.data(), data.size(), signature_.data(), &size);
    if (rv == CKR_OK) signature_.resize(size);
    return cryptoki::RvName(rv);
  }
  void ExpectSignsOn() {
    const std::vector<uint8_t> digest(32, 7);
    ASSERT_EQ(SignInit(CKM_ECDSA, ec_), "CKR_OK");
    ASSERT_EQ(Sign(digest), "CKR_OK");
    EXPECT_TRUE(VerifiesEcdsa(backend_->keys()[1].spki, digest, signature_));
  }

  Backend* backend_ = nullptr;
  const CK_FUNCTION_LIST* api_ = nullptr;
  CK_SESSION_HANDLE session_ = CK_INVALID_HANDLE;
  CK_OBJECT_HANDLE rsa_ = CK_INVALID_HANDLE;
  CK_OBJECT_HANDLE ec_ = CK_INVALID_HANDLE;
  std::vector<uint8_t> signature_;
};

TEST_P(RefusalContract, OfAKeyThatIsNotThere) {
  EXPECT_EQ(SignInit(CKM_ECDSA, 0x7ffffff1UL), Answer("no such key", CKR_KEY_HANDLE_INVALID));
  EXPECT_EQ(SignInit(CKM_ECDSA, CK_INVALID_HANDLE), Answer("no such key", CKR_KEY_HANDLE_INVALID));
  ExpectSignsOn();
}

TEST_P(RefusalContract, OfASignatureThatWasNotBegun) {
  EXPECT_EQ(Sign(std::vector<uint8_t>(32, 1)), "CKR_OPERATION_NOT_INITIALIZED");
  CK_OBJECT_HANDLE found = 0;
  CK_ULONG count = 0;
  const std::string answer = Answer("no search", CKR_OPERATION_NOT_INITIALIZED);
  EXPECT_EQ(cryptoki::RvName(api_->C_FindObjects(session_, &found, 1, &count)), answer);
  EXPECT_EQ(cryptoki::RvName(api_->C_FindObjectsFinal(session_)), answer);
  ExpectSignsOn();
}

TEST_P(RefusalContract, OfPssWithoutItsParameters) {
  EXPECT_EQ(SignInit(CKM_RSA_PKCS_PSS, rsa_), Answer("no parameters", CKR_MECHANISM_PARAM_INVALID));
  ExpectSignsOn();
}

TEST_P(RefusalContract, OfADigestThatIsNotAsLongAsItsHash) {
  CK_RSA_PKCS_PSS_PARAMS parameters{CKM_SHA256, CKG_MGF1_SHA256, 32};
  CK_MECHANISM mechanism{CKM_RSA_PKCS_PSS, &parameters, sizeof parameters};
  for (const size_t size : {0U, 31U, 33U, 300U}) {
    ASSERT_EQ(api_->C_SignInit(session_, &mechanism, rsa_), CKR_OK);
    EXPECT_EQ(Sign(std::vector<uint8_t>(size, 1)), Answer("PSS digest", CKR_DATA_LEN_RANGE));
  }
  ExpectSignsOn();
}

TEST_P(RefusalContract, OfMoreThanTheModulusHolds) {
  for (const size_t size : {246U, 256U, 10000U}) {  // 256 bytes less 11 of padding are 245
    ASSERT_EQ(SignInit(CKM_RSA_PKCS, rsa_), "CKR_OK");
    EXPECT_EQ(Sign(std::vector<uint8_t>(size, 1)), Answer("oversize RSA", CKR_DATA_LEN_RANGE));
  }
  ExpectSignsOn();
}

TEST_P(RefusalContract, OfEcdsaDataOfOddLength) {
  ASSERT_EQ(SignInit(CKM_ECDSA, ec_), "CKR_OK");
  EXPECT_EQ(Sign({}), Answer("empty ECDSA", CKR_DATA_LEN_RANGE));
  ASSERT_EQ(SignInit(CKM_ECDSA, ec_), "CKR_OK");
  EXPECT_EQ(Sign(std::vector<uint8_t>(1000, 1)), Answer("oversize ECDSA", CKR_DATA_LEN_RANGE));
  ExpectSignsOn();
}

TEST_P(RefusalContract, OfAnUnknownMechanismsInfo) {
  CK_MECHANISM_INFO info{};
  EXPECT_EQ(api_->C_GetMechanismInfo(backend_->slot(), 0x7ffff123UL, &info), CKR_MECHANISM_INVALID);
}

TEST_P(RefusalContract, OfAListThatDoesNotFit) {
  CK_ULONG count = 0;
  ASSERT_EQ(api_->C_GetMechanismList(backend_->slot(), nullptr, &count), CKR_OK);
  std::vector<CK_MECHANISM_TYPE> list(count);
  CK_ULONG small = count - 1;
  EXPECT_EQ(cryptoki::RvName(api_->C_GetMechanismList(backend_->slot(), list.data(), &small)),
            Answer("short list", CKR_BUFFER_TOO_SMALL));
  CK_ULONG filled = count;
  ASSERT_EQ(api_->C_GetMechanismList(backend_->slot(), list.data(), &filled), CKR_OK);
  EXPECT_EQ(filled, count);
  for (const CK_MECHANISM_TYPE raw : {CKM_RSA_PKCS, CKM_RSA_PKCS_PSS, CKM_ECDSA}) {
    EXPECT_EQ(std::count(list.begin(), list.end(), raw), 1) << cryptoki::MechanismName(raw);
    CK_MECHANISM_INFO info{};
    EXPECT_EQ(api_->C_GetMechanismInfo(backend_->slot(), raw, &info), CKR_OK);
    EXPECT_NE(info.flags & CKF_SIGN, 0u) << cryptoki::MechanismName(raw);
  }
}

TEST_P(RefusalContract, OfAParallelSessionAndOfASlotThatIsNotThere) {
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  EXPECT_EQ(cryptoki::RvName(api_->C_OpenSession(backend_->slot(), 0, nullptr, nullptr, &session)),
            Answer("parallel session", CKR_SESSION_PARALLEL_NOT_SUPPORTED));
  EXPECT_EQ(api_->C_OpenSession(0x7ffffff0UL, CKF_SERIAL_SESSION, nullptr, nullptr, &session),
            CKR_SLOT_ID_INVALID);
}

TEST_P(RefusalContract, OfAClosedSession) {
  CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
  ASSERT_EQ(api_->C_OpenSession(backend_->slot(), CKF_SERIAL_SESSION, nullptr, nullptr, &session),
            CKR_OK);
  ASSERT_EQ(api_->C_CloseSession(session), CKR_OK);
  CK_SESSION_INFO info{};
  EXPECT_EQ(api_->C_GetSessionInfo(session, &info), CKR_SESSION_HANDLE_INVALID);
  CK_MECHANISM mechanism{CKM_ECDSA, nullptr, 0};
  EXPECT_EQ(api_->C_SignInit(session, &mechanism, ec_), CKR_SESSION_HANDLE_INVALID);
  ExpectSignsOn();
}

TEST_P(RefusalContract, OfAnAttributeThatTheObjectDoesNotHave) {
  CK_ATTRIBUTE attribute{CKA_MODULUS, nullptr, 0};
  EXPECT_EQ(
      api_->C_GetAttributeValue(session_, Find(CKO_PUBLIC_KEY, backend_->keys()[1]), &attribute, 1),
      CKR_ATTRIBUTE_TYPE_INVALID);
  EXPECT_EQ(attribute.ulValueLen, CK_UNAVAILABLE_INFORMATION);
  EXPECT_EQ(api_->C_GetAttributeValue(session_, 0x7ffffff1UL, &attribute, 1),
            CKR_OBJECT_HANDLE_INVALID);
}

// Tokens sign what they should refuse: the reason why keybroker checks every length by itself.
const Kind kKinds[] = {
    {"SoftHsm",
     MakeSoftHsmBackend,
     {{"no such key", "CKR_OBJECT_HANDLE_INVALID"},
      {"no parameters", "CKR_ARGUMENTS_BAD"},
      {"PSS digest", "CKR_GENERAL_ERROR"},
      {"oversize RSA", "CKR_GENERAL_ERROR"},
      {"empty ECDSA", "CKR_OK"},
      {"oversize ECDSA", "CKR_OK"}}},
    {"Nss",
     MakeNssBackend,
     {{"PSS digest", "CKR_OK"},
      {"oversize RSA", "CKR_GENERAL_ERROR"},
      {"empty ECDSA", "CKR_ARGUMENTS_BAD"},
      {"oversize ECDSA", "CKR_OK"},
      {"no search", "CKR_OK"},
      {"short list", "CKR_OK"},
      {"parallel session", "CKR_OK"}}},
    {"KeybrokerOnSoftHsm", MakeBrokerBackend, {}},
    {"KeybrokerOnNss", MakeBrokerOnNssBackend, {}},
};
INSTANTIATE_TEST_SUITE_P(On, RefusalContract, testing::ValuesIn(kKinds),
                         [](const auto& kind) { return std::string(kind.param.name); });

}  // namespace
}  // namespace keybroker::contract
