#include <gmock/gmock.h>

#include "support/module_fixture.h"
#include "test_certificate.h"

namespace keybroker::module {
namespace {

using test::Attribute;
using test::FakeKey;
using testing::IsEmpty;
using testing::UnorderedElementsAreArray;

constexpr CK_OBJECT_CLASS kClasses[] = {CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, CKO_CERTIFICATE};

// Two names with an RSA and an EC key each, one of them with a certificate.
class FindObjects : public test::ModuleTest {
 protected:
  FindObjects() {
    rsa_a_.certificate = TestCertificate("a.example.test", 7);
    Start({rsa_a_, ec_a_, rsa_b_, ec_b_});
    session_ = Open();
  }

  // Class gives the object of that class with the key's CKA_ID.
  CK_OBJECT_HANDLE Object(const FakeKey& key, CK_OBJECT_CLASS object_class) {
    const auto found =
        Find(session_, {Attribute(CKA_ID, key.id), Attribute(CKA_CLASS, object_class)});
    EXPECT_EQ(found.size(), 1u);
    return found.empty() ? CK_INVALID_HANDLE : found[0];
  }

  FakeKey rsa_a_ = test::RsaKey("a.example.test", 1);
  FakeKey ec_a_ = test::EcKey("a.example.test", 2);
  FakeKey rsa_b_ = test::RsaKey("b.example.test", 3);
  FakeKey ec_b_ = test::EcKey("b.example.test", 4);
  CK_SESSION_HANDLE session_ = CK_INVALID_HANDLE;
};

TEST_F(FindObjects, GivesExactlyTheObjectsThereAre) {
  std::vector<CK_OBJECT_HANDLE> all = {Object(rsa_a_, CKO_CERTIFICATE)};
  for (const FakeKey* key : {&rsa_a_, &ec_a_, &rsa_b_, &ec_b_}) {
    all.push_back(Object(*key, CKO_PRIVATE_KEY));
    all.push_back(Object(*key, CKO_PUBLIC_KEY));
  }
  EXPECT_THAT(Find(session_), UnorderedElementsAreArray(all));
}

TEST_F(FindObjects, GivesKeysAndCertificateTheSameIdAndLabel) {
  std::vector<CK_OBJECT_HANDLE> objects;
  for (const CK_OBJECT_CLASS object_class : kClasses) {
    objects.push_back(Object(rsa_a_, object_class));
  }
  EXPECT_THAT(Find(session_, {Attribute(CKA_ID, rsa_a_.id), Attribute(CKA_LABEL, rsa_a_.name)}),
              UnorderedElementsAreArray(objects));
}

TEST_F(FindObjects, MatchesEveryCombinationOfAttributes) {
  const CK_OBJECT_CLASS private_key = CKO_PRIVATE_KEY;
  const CK_KEY_TYPE ec = CKK_EC;
  const CK_BBOOL yes = CK_TRUE;
  const std::vector<CK_ATTRIBUTE> wanted = {
      Attribute(CKA_CLASS, private_key), Attribute(CKA_KEY_TYPE, ec), Attribute(CKA_SIGN, yes),
      Attribute(CKA_LABEL, ec_b_.name),  Attribute(CKA_ID, ec_b_.id), Attribute(CKA_TOKEN, yes)};
  const CK_OBJECT_HANDLE object = Object(ec_b_, CKO_PRIVATE_KEY);
  for (unsigned set = 0; set < 1u << wanted.size(); ++set) {
    std::vector<CK_ATTRIBUTE> some;
    for (size_t i = 0; i < wanted.size(); ++i) {
      if ((set >> i & 1) != 0) some.push_back(wanted[i]);
    }
    EXPECT_THAT(Find(session_, some), testing::Contains(object)) << set;
    // One wrong attribute among right ones is enough to find nothing.
    const std::vector<uint8_t> other_id = {9, 9, 9, 9};
    some.push_back(Attribute(CKA_ID, other_id));
    EXPECT_THAT(Find(session_, some), IsEmpty()) << set;
  }
  EXPECT_THAT(Find(session_, wanted), testing::ElementsAre(object));
}

TEST_F(FindObjects, ComparesEveryByteAndTheLength) {
  for (const std::string label : {"a.example.tes", "a.example.test ", "A.example.test", "", "a"}) {
    EXPECT_THAT(Find(session_, {Attribute(CKA_LABEL, label)}), IsEmpty()) << label;
  }
  const uint32_t narrow = CKO_PRIVATE_KEY;
  EXPECT_THAT(Find(session_, {Attribute(CKA_CLASS, narrow)}), IsEmpty());
  const CK_ULONG wide = CKO_PRIVATE_KEY | CK_ULONG{1} << 32;
  EXPECT_THAT(Find(session_, {Attribute(CKA_CLASS, wide)}), IsEmpty());
}

TEST_F(FindObjects, FindsNothingByAttributesThatAreNotThere) {
  const CK_BBOOL yes = CK_TRUE;
  const CK_OBJECT_CLASS data = CKO_DATA;
  const std::vector<uint8_t> exponent = {1, 2, 3};
  EXPECT_THAT(Find(session_, {Attribute(CKA_PRIVATE, yes)}), IsEmpty());
  EXPECT_THAT(Find(session_, {Attribute(CKA_EXTRACTABLE, yes)}), IsEmpty());
  EXPECT_THAT(Find(session_, {Attribute(CKA_CLASS, data)}), IsEmpty());
  EXPECT_THAT(Find(session_, {Attribute(CKA_PRIVATE_EXPONENT, exponent)}), IsEmpty());
  EXPECT_THAT(Find(session_, {Attribute(CKA_VENDOR_DEFINED | 5, yes)}), IsEmpty());
}

TEST_F(FindObjects, FindsACertificateByWhatStandsInIt) {
  const auto subject = TestName("a.example.test");
  const auto issuer = TestName("test CA");
  const std::vector<uint8_t> serial = {2, 1, 7};
  const CK_CERTIFICATE_TYPE x509 = CKC_X_509;
  const CK_OBJECT_CLASS certificate = CKO_CERTIFICATE;
  EXPECT_THAT(Find(session_, {Attribute(CKA_ISSUER, issuer), Attribute(CKA_SERIAL_NUMBER, serial),
                              Attribute(CKA_CERTIFICATE_TYPE, x509)}),
              testing::ElementsAre(Object(rsa_a_, CKO_CERTIFICATE)));
  EXPECT_EQ(Find(session_, {Attribute(CKA_SUBJECT, subject)}).size(), 3u)
      << "the keys have the subject too";
  EXPECT_EQ(Find(session_, {Attribute(CKA_CLASS, certificate)}).size(), 1u);
}

TEST_F(FindObjects, HandsOutInPortions) {
  ASSERT_EQ(api_->C_FindObjectsInit(session_, nullptr, 0), CKR_OK);
  std::vector<CK_OBJECT_HANDLE> found;
  CK_OBJECT_HANDLE some[4] = {};
  CK_ULONG count = 99;
  EXPECT_EQ(api_->C_FindObjects(session_, nullptr, 0, &count), CKR_OK);
  EXPECT_EQ(count, 0u);
  for (const CK_ULONG expected : {4u, 4u, 1u, 0u, 0u}) {
    ASSERT_EQ(api_->C_FindObjects(session_, some, 4, &count), CKR_OK);
    EXPECT_EQ(count, expected);
    found.insert(found.end(), some, some + count);
  }
  EXPECT_EQ(api_->C_FindObjectsFinal(session_), CKR_OK);
  EXPECT_THAT(found, UnorderedElementsAreArray(Find(session_)));
}

TEST_F(FindObjects, KeepsASearchThroughWrongCalls) {
  ASSERT_EQ(api_->C_FindObjectsInit(session_, nullptr, 0), CKR_OK);
  CK_OBJECT_HANDLE object = 0;
  CK_ULONG count = 0;
  EXPECT_EQ(api_->C_FindObjectsInit(session_, nullptr, 0), CKR_OPERATION_ACTIVE);
  EXPECT_EQ(api_->C_FindObjects(session_, nullptr, 1, &count), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(api_->C_FindObjects(session_, &object, 1, nullptr), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(api_->C_FindObjects(session_, &object, 1, &count), CKR_OK);
  EXPECT_EQ(count, 1u);
  EXPECT_EQ(api_->C_FindObjectsFinal(session_), CKR_OK);
  EXPECT_EQ(api_->C_FindObjectsFinal(session_), CKR_OPERATION_NOT_INITIALIZED);
  EXPECT_EQ(api_->C_FindObjects(session_, &object, 1, &count), CKR_OPERATION_NOT_INITIALIZED);
}

TEST_F(FindObjects, SearchesInEachSessionByItself) {
  const CK_SESSION_HANDLE other = Open();
  ASSERT_EQ(api_->C_FindObjectsInit(session_, nullptr, 0), CKR_OK);
  EXPECT_EQ(Find(other).size(), 9u);
  CK_OBJECT_HANDLE object = 0;
  CK_ULONG count = 0;
  EXPECT_EQ(api_->C_FindObjects(session_, &object, 1, &count), CKR_OK);
  EXPECT_EQ(count, 1u);
}

TEST_F(FindObjects, KnowsAnObjectByEveryBitOfItsHandle) {
  const CK_OBJECT_HANDLE object = Object(ec_b_, CKO_PRIVATE_KEY);
  CK_ATTRIBUTE label = {CKA_LABEL, nullptr, 0};
  EXPECT_EQ(api_->C_GetAttributeValue(session_, object, &label, 1), CKR_OK);
  for (int bit = 2; bit < 64; ++bit) {
    EXPECT_EQ(api_->C_GetAttributeValue(session_, object ^ CK_ULONG{1} << bit, &label, 1),
              CKR_OBJECT_HANDLE_INVALID)
        << bit;
  }
  EXPECT_EQ(api_->C_GetAttributeValue(session_, CK_INVALID_HANDLE, &label, 1),
            CKR_OBJECT_HANDLE_INVALID);
}

}  // namespace
}  // namespace keybroker::module
