#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "keybroker/backup/cms.h"
#include "keybroker/token/host_wrap.h"
#include "unit/backup/sample.h"

namespace keybroker::backup::test {
namespace {

using credential::test::Issue;
using credential::test::kDay;
using credential::test::kNow;
using credential::test::TestKey;
using ::testing::HasSubstr;

FileError CmsRefusal(const std::string& bytes) {
  const auto read = ReadBackup(bytes);
  EXPECT_FALSE(read);
  return read ? FileError{} : read.error();
}

std::string Text(const std::vector<uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

TEST(CmsFile, IsReadBackAsItWasWritten) {
  const CmsSample sample = SampleCms();
  const auto back = ReadBackup(CmsFile(sample.backup, sample.key));
  ASSERT_TRUE(back) << back.error().detail;
  EXPECT_EQ(back->format, FileFormat::kCms);
  EXPECT_EQ(back->manifest, sample.backup.manifest);
  EXPECT_EQ(back->key.bytes, sample.backup.key.bytes);
  ASSERT_EQ(back->chain.size(), 2U);
  EXPECT_EQ(back->chain[0].der, sample.backup.chain[0].der);
  EXPECT_EQ(back->chain[1].der, sample.backup.chain[1].der);
  ASSERT_EQ(back->recipients.size(), 1U);
  EXPECT_THAT(RecipientText(back->recipients[0]), HasSubstr("CN=Recovery, serial "));
  const auto content_key = OpenContentKey(*back, sample.RecoveryKey());
  ASSERT_TRUE(content_key) << content_key.error().detail;
  const auto pkcs8 =
      token::HostUnwrap(token::WrapAlgorithm::kAesKeyWrapPad, *content_key, {}, back->key.bytes);
  ASSERT_TRUE(pkcs8);
  EXPECT_TRUE(pkcs8->Equals(CmsSample::Pkcs8(sample.key)));
}

TEST(CmsFile, MayBeCbcForSeveralRecipientsAndOfAnyKey) {
  for (const char* curve : {"P-256", "P-384", "P-521", ""}) {
    CmsSample sample = SampleCms();
    sample.key = *curve == '\0' ? TestKey::Rsa() : TestKey::Ec(curve);
    Backup& backup = sample.backup;
    backup.manifest = SampleManifest(sample.key);
    backup.chain = {Issue({}, sample.key, nullptr, sample.key)};
    backup.key.algorithm = token::WrapAlgorithm::kAesCbcPad;
    backup.key.iv.assign(16, 7);
    backup.key.bytes.assign(160, 8);
    backup.oaep = token::OaepHash::kSha256;
    Recipient second = backup.recipients[0];
    second.content_key[0] ^= 1;
    backup.recipients.push_back(second);
    const auto back = ReadBackup(CmsFile(backup, sample.key));
    ASSERT_TRUE(back) << curve << back.error().detail;
    EXPECT_EQ(back->key.iv, backup.key.iv);
    EXPECT_EQ(back->oaep, token::OaepHash::kSha256);
    EXPECT_EQ(back->recipients.size(), 2U);
  }
}

TEST(CmsFile, OpensForItsRecipientOnly) {
  const CmsSample sample = SampleCms();
  const auto opened = OpenContentKey(sample.backup, CmsSample::Pkcs8(TestKey::Rsa()));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().defect, Defect::kNoRecipient);
  EXPECT_THAT(opened.error().detail, HasSubstr("CN=Recovery"));
  const auto ec = OpenContentKey(sample.backup, CmsSample::Pkcs8(TestKey::Ec()));
  ASSERT_FALSE(ec);
  EXPECT_EQ(ec.error().defect, Defect::kNoRecipient);
  const auto password = Secret::CopyFrom(std::string_view(kPassword));
  EXPECT_FALSE(OpenBackup(CmsFile(sample.backup, sample.key), *password));
}

TEST(CmsFile, IsTruncatedAtEveryLength) {
  const CmsSample sample = SampleCms();
  const std::string bytes = CmsFile(sample.backup, sample.key);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(CmsRefusal(bytes.substr(0, size)).defect, Defect::kTruncated) << size;
  }
  EXPECT_EQ(CmsRefusal(bytes + "x").defect, Defect::kDamaged);
}

TEST(CmsFile, IsRefusedWithAnyByteFlipped) {
  const CmsSample sample = SampleCms();
  const std::string bytes = CmsFile(sample.backup, sample.key);
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (const unsigned flip : {0x01U, 0x80U, 0xffU}) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(static_cast<unsigned char>(damaged[i]) ^ flip);
      EXPECT_FALSE(ReadBackup(damaged)) << "byte " << i << " xor " << flip;
    }
  }
}

TEST(CmsFile, ThatItsKeyDidNotSignIsRefused) {
  const CmsSample sample = SampleCms();
  EXPECT_EQ(CmsRefusal(CmsFile(sample.backup, TestKey::Ec())).defect, Defect::kSignature);
  const std::string bytes = CmsFile(sample.backup, sample.key);
  const std::string other = Edit(bytes, "\"listener\":\"https\"", "\"listener\":\"httpx\"");
  EXPECT_EQ(CmsRefusal(other).defect, Defect::kSignature);
  Recipient mallory = sample.backup.recipients[0];
  mallory.content_key.assign(mallory.content_key.size(), 'm');
  const std::string substituted =
      Edit(bytes, Text(sample.backup.recipients[0].content_key), Text(mallory.content_key));
  EXPECT_EQ(CmsRefusal(substituted).defect, Defect::kSignature);
}

TEST(CmsFile, IsToldFromOtherFilesAndVersions) {
  const CmsSample sample = SampleCms();
  const std::string bytes = CmsFile(sample.backup, sample.key);
  const std::string foreign = Edit(bytes, "keybroker-backup", "somebody-elses-b");
  EXPECT_EQ(CmsRefusal(foreign).defect, Defect::kNotABackup);
  const std::string newer = Edit(bytes, "\"version\":1", "\"version\":2");
  EXPECT_EQ(CmsRefusal(newer).defect, Defect::kNewerVersion);
}

TEST(CmsFile, HasOneEncoding) {
  const CmsSample sample = SampleCms();
  const std::string bytes = CmsFile(sample.backup, sample.key);
  std::string first = Text(sample.backup.chain[0].der);
  std::string second = Text(sample.backup.chain[1].der);
  if (bytes.find(first + second) == std::string::npos) std::swap(first, second);
  EXPECT_EQ(CmsRefusal(Edit(bytes, first + second, second + first)).defect, Defect::kDamaged);
}

TEST(CmsFile, ThatContradictsItselfIsDamaged) {
  CmsSample sample = SampleCms();
  const Backup good = sample.backup;
  sample.backup.manifest.id[0] ^= 1;
  EXPECT_EQ(CmsRefusal(CmsFile(sample.backup, sample.key)).defect, Defect::kDamaged);
  sample.backup = good;
  std::swap(sample.backup.chain[0], sample.backup.chain[1]);
  EXPECT_EQ(CmsRefusal(CmsFile(sample.backup, sample.key)).defect, Defect::kDamaged);
  sample.backup = good;
  sample.backup.recipients.clear();
  EXPECT_EQ(CmsRefusal(CmsFile(sample.backup, sample.key)).defect, Defect::kDamaged);
  sample.backup.recipients.assign(kMaxRecipients + 1, good.recipients[0]);
  EXPECT_EQ(CmsRefusal(CmsFile(sample.backup, sample.key)).defect, Defect::kOverCap);
}

TEST(CmsFile, IsNotWrittenWhereItWouldNotBeRead) {
  CmsSample sample = SampleCms();
  sample.backup.signature.assign(64, 's');
  const auto bytes = FormatCms(sample.backup);
  ASSERT_FALSE(bytes);
  EXPECT_THAT(bytes.error().detail, HasSubstr("signature"));
  sample.backup.chain.clear();
  EXPECT_THAT(FormatCms(sample.backup).error().detail, HasSubstr("no certificate"));
}

TEST(RecoveryCertificate, IsAnRsaCertificateThatIsValid) {
  const TestKey rsa = TestKey::Rsa();
  const auto good = Issue({}, rsa, nullptr, rsa);
  EXPECT_TRUE(CheckRecoveryCertificate(good, kNow));
  EXPECT_THAT(CheckRecoveryCertificate(good, kNow + 365 * kDay).error().detail,
              HasSubstr("valid from"));
  const TestKey ec = TestKey::Ec();
  EXPECT_THAT(CheckRecoveryCertificate(Issue({}, ec, nullptr, ec), kNow).error().detail,
              HasSubstr("RSA"));
}

}  // namespace
}  // namespace keybroker::backup::test
