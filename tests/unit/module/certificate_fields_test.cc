#include "module/certificate_fields.h"

#include <gtest/gtest.h>

#include "test_certificate.h"

namespace keybroker::module {
namespace {

Der Copy(wire::Bytes bytes) { return {bytes.begin(), bytes.end()}; }

TEST(CertificateFields, AreWholeElements) {
  const Der certificate = TestCertificate("a.example.test", 7);
  ASSERT_GT(certificate.size(), 256u) << "long enough for lengths of two bytes";
  const auto fields = ReadCertificateFields(certificate);
  ASSERT_TRUE(fields);
  EXPECT_EQ(Copy(fields->serial_number), (Der{2, 1, 7}));
  EXPECT_EQ(Copy(fields->issuer), TestName("test CA"));
  EXPECT_EQ(Copy(fields->subject), TestName("a.example.test"));
}

TEST(CertificateFields, AreNoneOfATruncatedCertificate) {
  const Der certificate = TestCertificate("a.example.test", 7);
  for (size_t size = 0; size < certificate.size(); ++size) {
    // A copy of its own, so that a read behind it is seen by a sanitizer.
    EXPECT_FALSE(ReadCertificateFields(
        Der(certificate.begin(), certificate.begin() + static_cast<long>(size))))
        << size;
  }
}

TEST(CertificateFields, AreNoneWithBytesLeftOver) {
  Der certificate = TestCertificate("a.example.test", 7);
  certificate.push_back(0);
  EXPECT_FALSE(ReadCertificateFields(certificate));
}

TEST(CertificateFields, SurviveEveryChangedByte) {
  const Der good = TestCertificate("a.example.test", 7);
  for (size_t place = 0; place < good.size(); ++place) {
    for (const int value : {0x00, 0x01, 0x7f, 0x80, 0x81, 0x84, 0xff}) {
      Der changed = good;
      changed[place] = static_cast<uint8_t>(value);
      const auto fields = ReadCertificateFields(changed);
      if (!fields) continue;
      const auto inside = [&](wire::Bytes part) {
        return part.data() >= changed.data() &&
               part.data() + part.size() <= changed.data() + changed.size();
      };
      EXPECT_TRUE(inside(fields->serial_number) && inside(fields->issuer) &&
                  inside(fields->subject))
          << place;
    }
  }
}

TEST(CertificateFields, AreNoneOfLengthsThatDerForbids) {
  const Der inner = Element(0x30, {});
  EXPECT_FALSE(ReadCertificateFields(Der{0x30, 0x80, 0, 0})) << "indefinite";
  EXPECT_FALSE(ReadCertificateFields(Der{0x30, 0x84, 0, 0, 0, 0})) << "wider than any certificate";
  EXPECT_FALSE(ReadCertificateFields(Der{0x30, 0x81, 2, inner[0], inner[1]})) << "not the shortest";
}

}  // namespace
}  // namespace keybroker::module
