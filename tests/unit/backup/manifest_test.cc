#include "keybroker/backup/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/backup/sample.h"

namespace keybroker::backup::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

Manifest Any() { return SampleManifest(credential::test::TestKey::Ec()); }

Defect DefectOf(const std::string& text) {
  const auto parsed = ParseManifest(text);
  EXPECT_FALSE(parsed) << text;
  return parsed ? Defect::kPassword : parsed.error().defect;
}

std::string Replace(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Manifest, IsReadBackAsItWasWritten) {
  const Manifest manifest = Any();
  const auto back = ParseManifest(FormatManifest(manifest));
  ASSERT_TRUE(back) << back.error().detail;
  EXPECT_EQ(*back, manifest);
}

TEST(Manifest, HasTheFieldsOfTheFormatInTheirOrder) {
  EXPECT_THAT(FormatManifest(Any()),
              StartsWith(R"({"format":"keybroker-backup","version":1,"name":"mail.example.test",)"
                         R"("type":"ec","bits":256,"id":")"));
}

TEST(Manifest, KeepsWhatATokenCallsItselfPrintable) {
  Manifest manifest = Any();
  manifest.token.label = "\x1b[2J\xff\xe2\x80\xae\xc2\x85 ok \xc3\xa4";
  const auto back = ParseManifest(FormatManifest(manifest));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->token.label, "?[2J??? ok \xc3\xa4");
}

TEST(Manifest, OfANewerVersionIsToldApart) {
  const std::string text = Replace(FormatManifest(Any()), "\"version\":1", "\"version\":2");
  const auto parsed = ParseManifest(text);
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().defect, Defect::kNewerVersion);
  EXPECT_THAT(parsed.error().detail, HasSubstr("version 2"));
}

TEST(Manifest, HasOneSpellingOnly) {
  const std::string good = FormatManifest(Any());
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"\"bits\":256", "\"bits\": 256"},
           {"\"bits\":256", "\"bits\":256.0"},
           {"\"bits\":256", "\"bits\":\"256\""},
           {"\"bits\":256", "\"bits\":-1"},
           {"\"bits\":256", "\"bits\":4294967552"},
           {"\"bits\":256", "\"bits\":256,\"extra\":1"},
           {"\"type\":\"ec\"", "\"type\":\"dsa\""},
           {"\"type\":\"ec\"", "\"type\":\"rsa\",\"type\":\"ec\""},
           {"\"id\":\"", "\"id\":\"x"},
           {"\"created\":1781524800", "\"created\":18446744073709551615"},
           {"\"current\":true", "\"current\":1"},
           {"\"version\":1", "\"version\":0"},
           {"keybroker-backup", "Keybroker-backup"},
           {"\"created\":1781524800", "\"created\":253402300800"},
           {"\"sequence\":3", "\"sequence\":0"},
           {"\"sequence\":3", "\"sequence\":1000001"},
           {"\"sequence\":3", "\"sequence\":4611686018427387904"},
           {"\"sequence\":3", "\"sequence\":9223372036854775807"},
           {"mail.example.test", "Mail.example.test"},
           {"mail.example.test", "mail.example.test/x"},
           {"\"https\"", "\"../https\""},
           {"\"https\"", "\"\""},
           {"tls-server", "tls\xc2\x9bserver"},
           {"tls-server", "tls\xe2\x80\xaeserver"},
           {"SoftHSM project", "SoftHSM\\nproject"},
           {"SoftHSM project", "SoftHSM\xe2\x81\xa6project"},
           {"[\"tls-server\"]", "[1]"},
           {"\"name\":\"mail", "\"name\":\"\\u006dail"}}) {
    EXPECT_EQ(DefectOf(Replace(good, from, to)), Defect::kDamaged) << to;
  }
  EXPECT_EQ(DefectOf(""), Defect::kDamaged);
  EXPECT_EQ(DefectOf("[]"), Defect::kDamaged);
  EXPECT_EQ(DefectOf(good + " "), Defect::kDamaged);
  EXPECT_EQ(DefectOf(std::string(kManifestMaxSize + 1, ' ')), Defect::kDamaged);
  EXPECT_EQ(DefectOf(std::string(60000, '[')), Defect::kDamaged);
}

TEST(Manifest, IsRefusedCutOffAnywhere) {
  const std::string good = FormatManifest(Any());
  for (size_t size = 0; size < good.size(); ++size) DefectOf(good.substr(0, size));
}

}  // namespace
}  // namespace keybroker::backup::test
