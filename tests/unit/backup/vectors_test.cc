// The published files of tests/vectors/backup are read as their list says, by us and by openssl.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "keybroker/backup/cms.h"
#include "keybroker/token/host_wrap.h"
#include "support/command.h"
#include "support/temp_dir.h"
#include "unit/backup/open_foreign.h"
#include "unit/backup/sample.h"

namespace keybroker::backup::test {
namespace {

struct Vector {
  std::string file;
  std::string outcome;
  std::string spki_sha256;
};

const std::string kDirectory = KB_SOURCE_DIR "/tests/vectors/backup/";

std::vector<Vector> Vectors() {
  std::vector<Vector> all;
  std::ifstream list(kDirectory + "expected");
  for (Vector each; list >> each.file >> each.outcome >> each.spki_sha256;) all.push_back(each);
  return all;
}

Secret VectorPassword() { return *Secret::CopyFrom(std::string_view(kPassword)); }

// SpkiHashOf gives that of a PKCS#8, whose public key openssl tells.
std::string SpkiHashOf(const std::string& private_key) {
  const auto der = keybroker::test::RunCommand({"openssl", "pkey", "-pubout", "-outform", "DER"},
                                               {}, private_key);
  EXPECT_EQ(der.status, 0) << der.err;
  return FileSha256(der.out);
}

// RecoveryKey is that of the CMS files, as PKCS#8.
Secret RecoveryKey() {
  const auto der = keybroker::test::RunCommand({"openssl", "pkcs8", "-topk8", "-nocrypt", "-in",
                                                kDirectory + "recovery.pem", "-outform", "DER"});
  EXPECT_EQ(der.status, 0) << der.err;
  return *Secret::CopyFrom(std::string_view(der.out));
}

// ExpectKey: key, PKCS#8, is the one that the list tells of.
void ExpectKey(const Vector& vector, const Result<Secret>& key) {
  ASSERT_TRUE(key) << key.error().detail;
  const auto der = key->Expose();
  EXPECT_EQ(SpkiHashOf({reinterpret_cast<const char*>(der.data()), der.size()}),
            vector.spki_sha256);
}

std::string SpkiHashIn(const Manifest& manifest) {
  return FileSha256({reinterpret_cast<const char*>(manifest.spki.data()), manifest.spki.size()});
}

void ExpectGoodCms(const Vector& vector, const std::string& bytes) {
  const auto backup = ReadBackup(bytes);
  ASSERT_TRUE(backup) << backup.error().detail;
  EXPECT_EQ(SpkiHashIn(backup->manifest), vector.spki_sha256);
  const auto content_key = OpenContentKey(*backup, RecoveryKey());
  ASSERT_TRUE(content_key) << content_key.error().detail;
  ExpectKey(vector, token::HostUnwrap(backup->key.algorithm, *content_key, backup->key.iv,
                                      backup->key.bytes));
  const auto inner =
      keybroker::test::RunCommand({"openssl", "cms", "-verify", "-noverify", "-binary", "-inform",
                                   "DER", "-in", kDirectory + vector.file});
  const auto opened = keybroker::test::RunCommand(
      {"openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-recip",
       kDirectory + "recovery.pem", "-inkey", kDirectory + "recovery.pem"},
      {}, inner.out);
  EXPECT_EQ(SpkiHashOf(opened.out), vector.spki_sha256) << inner.err << opened.err;
}

// DefectOfCms is what is wrong with a CMS file, or with its recipients for the recovery key.
std::string DefectOfCms(const std::string& bytes) {
  const auto backup = ReadBackup(bytes);
  if (!backup) return std::string(DefectName(backup.error().defect));
  const auto content_key = OpenContentKey(*backup, RecoveryKey());
  return content_key ? "good" : std::string(DefectName(content_key.error().defect));
}

void ExpectGood(const Vector& vector, const std::string& bytes) {
  const auto backup = OpenBackup(bytes, VectorPassword());
  ASSERT_TRUE(backup) << backup.error().detail;
  EXPECT_EQ(SpkiHashIn(backup->manifest), vector.spki_sha256);
  const auto kek = DeriveKek(VectorPassword(), backup->kdf);
  ExpectKey(vector,
            token::HostUnwrap(backup->key.algorithm, *kek, backup->key.iv, backup->key.bytes));
  const auto opened =
      keybroker::test::RunCommand({"openssl", "pkcs12", "-in", kDirectory + vector.file, "-nodes",
                                   "-passin", "file:" + kDirectory + "password"});
  EXPECT_EQ(SpkiHashOf(opened.out), vector.spki_sha256) << opened.err;
}

TEST(BackupVectors, AreReadAsTheirListSays) {
  const auto all = Vectors();
  ASSERT_GT(all.size(), 20U);
  for (const Vector& vector : all) {
    SCOPED_TRACE(vector.file);
    const std::string bytes = keybroker::test::ReadAll(kDirectory + vector.file);
    const bool cms = vector.file.ends_with(".cms");
    if (cms && vector.outcome == "good") {
      ExpectGoodCms(vector, bytes);
    } else if (cms) {
      EXPECT_EQ(DefectOfCms(bytes), vector.outcome);
    } else if (vector.outcome == "good") {
      ExpectGood(vector, bytes);
    } else if (vector.outcome == "key-manager") {
      const auto found = OpenForeign(bytes, kPassword, false);
      ASSERT_TRUE(found) << found.error().detail;
      EXPECT_EQ(KeyFileFormatName(found->format), vector.outcome);
      EXPECT_EQ(FileSha256({reinterpret_cast<const char*>(found->spki.data()), found->spki.size()}),
                vector.spki_sha256);
    } else {
      const auto backup = OpenBackup(bytes, VectorPassword());
      ASSERT_FALSE(backup);
      EXPECT_EQ(DefectName(backup.error().defect), vector.outcome) << backup.error().detail;
    }
  }
}

}  // namespace
}  // namespace keybroker::backup::test
