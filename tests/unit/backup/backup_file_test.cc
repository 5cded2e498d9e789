#include "keybroker/backup/backup_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/backup/sample.h"

namespace keybroker::backup::test {
namespace {

using ::testing::HasSubstr;

Secret Password(std::string_view text = kPassword) { return *Secret::CopyFrom(text); }

FileError Refusal(const std::string& bytes) {
  const auto opened = OpenBackup(bytes, Password());
  EXPECT_FALSE(opened);
  return opened ? FileError{} : opened.error();
}

// DerInteger is an INTEGER's bytes, as they stand in a file.
std::string DerInteger(const std::string& contents) {
  return std::string(1, '\x02') + static_cast<char>(contents.size()) + contents;
}

// The only one with the derivation's real cost.
TEST(BackupFile, IsReadBackAsItWasWritten) {
  Backup backup = Sample();
  backup.kdf.iterations = kMinIterations;
  backup.mac_iterations = 2 * kMinIterations;
  const auto back = OpenBackup(SampleFile(backup), Password());
  ASSERT_TRUE(back) << back.error().detail;
  EXPECT_EQ(back->manifest, backup.manifest);
  EXPECT_EQ(back->key.bytes, backup.key.bytes);
  EXPECT_EQ(back->key.algorithm, token::WrapAlgorithm::kAesKeyWrapPad);
  EXPECT_EQ(back->kdf.salt, backup.kdf.salt);
  EXPECT_EQ(back->kdf.iterations, kMinIterations);
  EXPECT_EQ(back->mac_iterations, 2 * kMinIterations);
  ASSERT_EQ(back->chain.size(), 2U);
  EXPECT_EQ(back->chain[0].der, backup.chain[0].der);
}

TEST(BackupFile, MayHoldNoCertificateAndMayBeCbc) {
  Backup backup = Sample();
  backup.chain.clear();
  backup.key.algorithm = token::WrapAlgorithm::kAesCbcPad;
  backup.key.iv.assign(16, 7);
  const auto back = OpenBackup(SampleFile(backup), Password());
  ASSERT_TRUE(back) << back.error().detail;
  EXPECT_EQ(back->key.algorithm, token::WrapAlgorithm::kAesCbcPad);
  EXPECT_EQ(back->key.iv, backup.key.iv);
  EXPECT_TRUE(back->chain.empty());
}

TEST(BackupFile, IsReadWithoutThePasswordAsAClaim) {
  const auto read = ReadBackup(SampleFile());
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(read->manifest.name, "mail.example.test");
}

TEST(BackupFile, SaysThatPasswordAndDamageCannotBeToldApart) {
  const auto opened = OpenBackup(SampleFile(), Password("another password"));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().defect, Defect::kPassword);
  EXPECT_THAT(opened.error().detail, HasSubstr("cannot tell"));
}

TEST(BackupFile, IsTruncatedAtEveryLength) {
  const std::string bytes = SampleFile();
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(Refusal(bytes.substr(0, size)).defect, Defect::kTruncated) << size;
  }
}

TEST(BackupFile, IsRefusedWithAnyByteFlipped) {
  Backup backup = Sample();
  backup.chain.resize(1);
  const std::string bytes = SampleFile(backup);
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (const unsigned flip : {0x01U, 0x80U, 0xffU}) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(static_cast<unsigned char>(damaged[i]) ^ flip);
      EXPECT_FALSE(OpenBackup(damaged, Password())) << "byte " << i << " xor " << flip;
    }
  }
}

TEST(BackupFile, IsToldFromOtherFiles) {
  EXPECT_EQ(Refusal("-----BEGIN PRIVATE KEY-----\n").defect, Defect::kNotABackup);
  EXPECT_EQ(Refusal(std::string(kMaxFile + 1, '0')).defect, Defect::kNotABackup);
  const auto certificate = Sample().chain[0].der;
  EXPECT_EQ(Refusal({certificate.begin(), certificate.end()}).defect, Defect::kNotABackup);
  EXPECT_EQ(Refusal(SampleFile() + "x").defect, Defect::kDamaged);
}

TEST(BackupFile, OfANewerVersionIsSaidToBeSo) {
  const std::string newer = Edit(SampleFile(), "\"version\":1", "\"version\":2");
  EXPECT_EQ(Refusal(newer).defect, Defect::kNewerVersion);
}

TEST(BackupFile, WithCostsOverTheCapIsRefusedBeforeAnythingIsDerived) {
  using namespace std::string_literals;
  const std::string bytes = SampleFile();
  const std::string count = DerInteger("\x01\x11\x70"s);  // kCheapIterations
  const std::string kdf = Edit(bytes, count, DerInteger("\x7f\xff\xff"s));
  EXPECT_EQ(ReadBackup(kdf)->kdf.iterations, 0x7fffffU);  // 8,388,607: under the cap
  Backup dear = Sample();
  dear.kdf.iterations = 0x7fffffff;
  EXPECT_EQ(Refusal(SampleFile(dear)).defect, Defect::kOverCap);
  const std::string negative = Edit(bytes, count, DerInteger("\x81\x11\x70"s));
  EXPECT_EQ(Refusal(negative).defect, Defect::kDamaged);
  Backup mac = Sample();
  mac.mac_iterations = 0x01000000;  // as long a number as the one that is put in its place
  const std::string dear_mac =
      Edit(SampleFile(mac), DerInteger("\x01\x00\x00\x00"s), DerInteger("\x7f\x00\x00\x00"s));
  EXPECT_EQ(Refusal(dear_mac).defect, Defect::kOverCap);
  Backup long_salt = Sample();
  long_salt.kdf.salt.assign(kMaxSalt + 1, 's');
  EXPECT_EQ(Refusal(SampleFile(long_salt)).defect, Defect::kOverCap);
}

TEST(BackupFile, WithAKeyLargerThanAnyIsOverTheCap) {
  Backup large = Sample();
  large.key.bytes.resize(kMaxWrappedKey + 8);
  EXPECT_EQ(Refusal(SampleFile(large)).defect, Defect::kOverCap);
}

TEST(BackupFile, WithAManifestOfAnotherKeyIsRefused) {
  Backup swapped = Sample();
  swapped.manifest = SampleManifest(credential::test::TestKey::Ec());
  EXPECT_THAT(Refusal(SampleFile(swapped)).detail, HasSubstr("another key"));
  Backup other_id = Sample();
  other_id.manifest.id[0] ^= 1;
  EXPECT_THAT(Refusal(SampleFile(other_id)).detail, HasSubstr("CKA_ID"));
  Backup unrelated = Sample();
  std::swap(unrelated.chain[0], unrelated.chain[1]);
  EXPECT_EQ(Refusal(SampleFile(unrelated)).defect, Defect::kDamaged);
}

TEST(BackupFile, WhoseManifestSaysAnotherTypeOrSizeThanItsPublicKeyIsRefused) {
  Backup larger = Sample();
  larger.manifest.bits = 384;
  EXPECT_THAT(Refusal(SampleFile(larger)).detail, HasSubstr("key type or size"));
  Backup other = Sample();
  other.manifest.type = cryptoki::KeyType::kRsa;
  EXPECT_EQ(Refusal(SampleFile(other)).defect, Defect::kDamaged);
}

TEST(BackupFile, ThatNoRestoreWouldTakeIsDamaged) {
  Backup name = Sample();
  name.manifest.name = "MAIL";
  EXPECT_EQ(Refusal(SampleFile(name)).defect, Defect::kDamaged);
  Backup listener = Sample();
  listener.manifest.bindings[0].listener = "../../etc/passwd";
  EXPECT_EQ(Refusal(SampleFile(listener)).defect, Defect::kDamaged);
  Backup number = Sample();
  number.manifest.sequence = uint64_t{1} << 62;
  EXPECT_EQ(Refusal(SampleFile(number)).defect, Defect::kDamaged);
}

TEST(BackupFile, WithItsManifestTakenFromAnotherFileFailsTheMac) {
  const std::string bytes = SampleFile();
  const std::string edited = Edit(bytes, "\"listener\":\"https\"", "\"listener\":\"httpx\"");
  EXPECT_TRUE(ReadBackup(edited));
  EXPECT_EQ(Refusal(edited).defect, Defect::kPassword);
}

TEST(BackupFile, IsNeverWrittenWithACheapKeyDerivation) {
  EXPECT_FALSE(NewKdf(kMinIterations - 1));
  EXPECT_FALSE(NewKdf(kMaxIterations + 1));
  EXPECT_NE(NewKdf(kMinIterations)->salt, NewKdf(kMinIterations)->salt);
}

}  // namespace
}  // namespace keybroker::backup::test
