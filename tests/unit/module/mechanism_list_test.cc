#include <algorithm>
#include <set>

#include "keybroker/cryptoki/mechanism.h"
#include "support/module_fixture.h"

namespace keybroker::module {
namespace {

using test::FakeKey;

class MechanismList : public test::ModuleTest {
 protected:
  std::vector<CK_MECHANISM_TYPE> List() {
    CK_ULONG count = 0;
    EXPECT_EQ(api_->C_GetMechanismList(0, nullptr, &count), CKR_OK);
    std::vector<CK_MECHANISM_TYPE> list(count);
    CK_ULONG filled = count;
    EXPECT_EQ(api_->C_GetMechanismList(0, list.data(), &filled), CKR_OK);
    EXPECT_EQ(filled, count) << "of the NULL and the filled call";
    return list;
  }
  CK_RV Info(CK_MECHANISM_TYPE type, CK_MECHANISM_INFO* info) {
    return api_->C_GetMechanismInfo(0, type, info);
  }
  // InitRv is what C_SignInit says to a mechanism with parameters that are right.
  CK_RV InitRv(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, CK_MECHANISM_TYPE type) {
    CK_MECHANISM mechanism{type, nullptr, 0};
    CK_RSA_PKCS_PSS_PARAMS pss{CKM_SHA256, CKG_MGF1_SHA256, 32};
    const auto* known = cryptoki::FindSignMechanism(type);
    if (known != nullptr && known->scheme == cryptoki::Scheme::kRsaPss) {
      pss.hashAlg = cryptoki::DigestMechanism(known->digest);
      mechanism.pParameter = &pss;
      mechanism.ulParameterLen = sizeof pss;
    }
    const CK_RV rv = api_->C_SignInit(session, &mechanism, key);
    CK_ULONG size = 0;
    if (rv == CKR_OK) api_->C_Sign(session, nullptr, 4, nullptr, &size);  // ends it: kBad
    return rv;
  }
};

FakeKey With(FakeKey key, std::vector<uint32_t> mechanisms) {
  key.mechanisms = std::move(mechanisms);
  return key;
}

TEST_F(MechanismList, IsWhatSomeKeyPermits) {
  Start({With(test::RsaKey("a.example.test", 1), {CKM_RSA_PKCS_PSS}),
         With(test::EcKey("b.example.test", 2), {CKM_ECDSA_SHA256, CKM_ECDSA}),
         With(test::EcKey("c.example.test", 3), {CKM_ECDSA})});
  EXPECT_EQ(List(),
            (std::vector<CK_MECHANISM_TYPE>{CKM_RSA_PKCS_PSS, CKM_ECDSA, CKM_ECDSA_SHA256}));
}

TEST_F(MechanismList, IsEmptyWithoutKeys) {
  Start({});
  EXPECT_TRUE(List().empty());
  CK_MECHANISM_INFO info;
  EXPECT_EQ(Info(CKM_ECDSA, &info), CKR_MECHANISM_INVALID);
}

TEST_F(MechanismList, SaysHowMuchRoomItNeeds) {
  Start();
  CK_MECHANISM_TYPE list[12] = {77, 77, 77, 77};
  CK_ULONG count = 3;
  EXPECT_EQ(api_->C_GetMechanismList(0, list, &count), CKR_BUFFER_TOO_SMALL);
  EXPECT_EQ(count, 4u);
  EXPECT_EQ(list[0], 77u);
  count = 12;
  EXPECT_EQ(api_->C_GetMechanismList(0, list, &count), CKR_OK);
  EXPECT_EQ(count, 4u);
}

TEST_F(MechanismList, AgreesWithInfoAndInitAboutEveryMechanism) {
  const FakeKey rsa = With(test::RsaKey("a.example.test", 1),
                           {CKM_RSA_PKCS, CKM_SHA384_RSA_PKCS_PSS, CKM_SHA512_RSA_PKCS});
  const FakeKey ec = With(test::EcKey("a.example.test", 2), {CKM_ECDSA, CKM_ECDSA_SHA512});
  Start({rsa, ec});
  const CK_SESSION_HANDLE session = Open();
  const CK_OBJECT_HANDLE handles[] = {PrivateKey(session, rsa), PrivateKey(session, ec)};
  const auto listed = List();
  std::set<CK_MECHANISM_TYPE> types = {CKM_RSA_X_509,
                                       CKM_SHA1_RSA_PKCS,
                                       CKM_ECDSA_SHA1,
                                       CKM_RSA_PKCS_OAEP,
                                       CKM_SHA256,
                                       CKM_ECDH1_DERIVE,
                                       CKM_ECDSA | CK_ULONG{1} << 32};
  for (const auto& mechanism : cryptoki::AllSignMechanisms()) types.insert(mechanism.type);
  for (const CK_MECHANISM_TYPE type : types) {
    const bool is_listed = std::find(listed.begin(), listed.end(), type) != listed.end();
    CK_MECHANISM_INFO info{};
    EXPECT_EQ(Info(type, &info) == CKR_OK, is_listed) << type;
    const bool with_rsa = InitRv(session, handles[0], type) == CKR_OK;
    const bool with_ec = InitRv(session, handles[1], type) == CKR_OK;
    EXPECT_EQ(with_rsa || with_ec, is_listed) << type;
    EXPECT_FALSE(with_rsa && with_ec) << type;
  }
}

// The broker is not believed either: CKM_RSA_X_509 signs whatever padding the caller makes.
TEST_F(MechanismList, NeverHasWhatIsNotOnTheClosedList) {
  const FakeKey rsa = With(test::RsaKey("a.example.test", 1),
                           {CKM_RSA_X_509, CKM_RSA_PKCS, CKM_ECDSA, CKM_RSA_PKCS_OAEP});
  Start({rsa});
  EXPECT_EQ(List(), std::vector<CK_MECHANISM_TYPE>{CKM_RSA_PKCS});
  const CK_SESSION_HANDLE session = Open();
  EXPECT_EQ(InitRv(session, PrivateKey(session, rsa), CKM_RSA_X_509), CKR_MECHANISM_INVALID);
}

TEST_F(MechanismList, InfoGivesTheSizesOfTheKeysThatPermitIt) {
  FakeKey large = test::RsaKey("a.example.test", 1);
  large.bits = 4096;
  FakeKey p521 = test::EcKey("a.example.test", 3);
  p521.bits = 521;
  Start({large, test::RsaKey("b.example.test", 2), p521, test::EcKey("b.example.test", 4)});
  CK_MECHANISM_INFO info{};
  ASSERT_EQ(Info(CKM_RSA_PKCS, &info), CKR_OK);
  EXPECT_EQ(info.ulMinKeySize, 2048u);
  EXPECT_EQ(info.ulMaxKeySize, 4096u);
  EXPECT_EQ(info.flags, CK_FLAGS{CKF_SIGN}) << "and nothing else";
  ASSERT_EQ(Info(CKM_ECDSA, &info), CKR_OK);
  EXPECT_EQ(info.ulMinKeySize, 256u);
  EXPECT_EQ(info.ulMaxKeySize, 521u);
  EXPECT_EQ(info.flags, CK_FLAGS{CKF_SIGN | CKF_EC_F_P | CKF_EC_NAMEDCURVE | CKF_EC_UNCOMPRESS});
}

}  // namespace
}  // namespace keybroker::module
