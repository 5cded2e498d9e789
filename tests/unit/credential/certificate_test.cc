#include "keybroker/credential/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "unit/credential/test_pki.h"

namespace keybroker::credential {
namespace {

using test::Issue;
using test::kDay;
using test::kNow;
using test::TestKey;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Certificates : public ::testing::Test {
 protected:
  static std::string Text(const Certificate& one) { return {one.der.begin(), one.der.end()}; }

  TestKey key = TestKey::Ec();
  Certificate one =
      Issue({.subject = "one", .dns_names = {"a.test", "*.b.test"}}, key, nullptr, key);
  Certificate two = Issue({.subject = "two"}, key, &one, key);
};

TEST_F(Certificates, AreTakenApart) {
  EXPECT_EQ(two.subject, "CN=two");
  EXPECT_EQ(two.issuer, "CN=one");
  EXPECT_EQ(two.not_before, kNow - kDay);
  EXPECT_EQ(two.not_after, kNow + 90 * kDay);
  EXPECT_EQ(two.spki, key.Spki());
  EXPECT_FALSE(two.self_issued);
  EXPECT_THAT(two.dns_names, IsEmpty());
  EXPECT_TRUE(one.self_issued);
  EXPECT_THAT(one.dns_names, ElementsAre("a.test", "*.b.test"));
}

TEST_F(Certificates, AreReadFromPemInTheirOrder) {
  const auto all = ParseCertificates("a comment\n" + FormatCertificates({two, one}));
  ASSERT_TRUE(all.has_value()) << all.error().detail;
  ASSERT_EQ(all->size(), 2U);
  EXPECT_EQ((*all)[0].der, two.der);
  EXPECT_EQ((*all)[1].der, one.der);
}

TEST_F(Certificates, AreReadFromDer) {
  const auto all = ParseCertificates(Text(one));
  ASSERT_TRUE(all.has_value()) << all.error().detail;
  ASSERT_EQ(all->size(), 1U);
  EXPECT_EQ(all->front().der, one.der);
}

TEST_F(Certificates, PassOverOtherPemBlocks) {
  const auto all =
      ParseCertificates("-----BEGIN X-----\nAAAA\n-----END X-----\n" + FormatCertificates({one}));
  ASSERT_TRUE(all.has_value()) << all.error().detail;
  EXPECT_EQ(all->size(), 1U);
}

TEST_F(Certificates, CutOffAtAnyByteAreRefused) {
  const std::string der = Text(one);
  for (size_t size = 0; size < der.size(); ++size) {
    EXPECT_FALSE(ParseCertificates(der.substr(0, size)).has_value()) << size;
  }
  EXPECT_FALSE(ParseCertificates(der + "x").has_value());
}

TEST_F(Certificates, ABrokenOneIsNamedByItsPlace) {
  const auto all = ParseCertificates(FormatCertificates({one}) +
                                     "-----BEGIN CERTIFICATE-----\nAAAA\n-----END "
                                     "CERTIFICATE-----\n");
  ASSERT_FALSE(all.has_value());
  EXPECT_THAT(all.error().detail, HasSubstr("certificate 2 of the file"));
}

TEST_F(Certificates, TextWithoutOneIsRefused) {
  for (const char* text : {"", "hello",
                           "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE "
                           "KEY-----\n"}) {
    const auto all = ParseCertificates(text);
    ASSERT_FALSE(all.has_value()) << text;
    EXPECT_THAT(all.error().detail, HasSubstr("no certificate in it"));
  }
}

TEST_F(Certificates, FitNamesByTheirAlternativeNamesOnly) {
  EXPECT_TRUE(FitsName(one, "a.test"));
  EXPECT_TRUE(FitsName(one, "x.b.test"));
  EXPECT_FALSE(FitsName(one, "b.test"));
  EXPECT_FALSE(FitsName(one, "x.y.b.test"));
  EXPECT_FALSE(FitsName(one, "one"));
  EXPECT_FALSE(FitsName(two, "two"));
}

TEST_F(Certificates, FitAWildcardNameOnlyWhenTheyHaveIt) {
  EXPECT_TRUE(FitsName(one, "*.b.test"));
  EXPECT_FALSE(FitsName(one, "*.a.test"));
  EXPECT_FALSE(FitsName(one, "*.x.b.test"));
}

TEST(FormatTime, IsUtc) { EXPECT_EQ(FormatTime(kNow), "2026-06-15T12:00:00Z"); }

}  // namespace
}  // namespace keybroker::credential
