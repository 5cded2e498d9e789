#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/small_disk.h"
#include "unit/cli/program/backup_host.h"

namespace keybroker::cli::test {
namespace {

using keybroker::test::SmallDisk;
using ::testing::AllOf;
using ::testing::HasSubstr;

class RestoreToFile : public BackupHost {
 protected:
  std::string PublicKeyOf(const std::string& name) const {
    const auto key = keybroker::test::RunCommand(
        {"openssl", "pkey", "-in", File(name), "-pubout", "-outform", "DER"});
    EXPECT_EQ(key.status, 0) << key.err;
    std::string hex;
    for (const char c : key.out) {
      char digits[3];
      std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned char>(c));
      hex += digits;
    }
    return hex;
  }
};

TEST_F(RestoreToFile, WritesTheKeyForItsOwnerAlone) {
  for (const std::string type : {"rsa", "ec"}) {
    const std::string file = Export(type);
    const std::string out = type + ".pem";
    const Json json = Answer(With({"backup", "restore", file, "--to-file", File(out), "--yes"}));
    EXPECT_EQ(json["written"], File(out).string());
    EXPECT_EQ(PublicKeyOf(out), Spki(kName, type));
    struct stat info {};
    ASSERT_EQ(::stat(File(out).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0600U);
  }
  EXPECT_THAT(Read("state/operator/audit.log"),
              AllOf(HasSubstr("backup-restore-to-file"), HasSubstr("in the clear to")));
}

TEST_F(RestoreToFile, NeedsNoTokenAndNoConfiguration) {
  const std::string file = Export("ec");
  const std::string program = KB_BUILD_DIR "/bin/keybroker";
  const auto done = keybroker::test::RunCommand(
      {program, "--config", File("no/keybroker.toml"), "backup", "restore", file, "--to-file",
       File("key.pem"), "--yes", "--password-file", File("password")});
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_THAT(done.err, HasSubstr("no audit log holds that it was done"));
  EXPECT_EQ(PublicKeyOf("key.pem"), Spki(kName, "ec"));
}

TEST_F(RestoreToFile, WritesNoKeyThatCannotBeRecorded) {
  if (::getuid() != 0) GTEST_SKIP() << "*** needs root, to mount a small file system";
  const std::string file = Export("ec");
  std::filesystem::rename(File("state/operator"), File("state/kept"));
  const SmallDisk disk(File("state/operator"));
  std::filesystem::copy(File("state/kept"), File("state/operator"),
                        std::filesystem::copy_options::recursive);
  disk.Fill();
  // What is left of the log's last page takes a few records.
  bool failed = false;
  for (int i = 0; i < 40 && !failed; ++i) {
    const auto out = File("key" + std::to_string(i) + ".pem");
    const auto done = Run(With({"backup", "restore", file, "--to-file", out, "--yes"}));
    failed = done.status != 0;
    EXPECT_EQ(std::filesystem::exists(out), !failed);
    EXPECT_THAT(done.err, HasSubstr(failed ? "No space left on device" : ""));
  }
  EXPECT_TRUE(failed);
}

TEST_F(RestoreToFile, AsksFirstAndReplacesNothing) {
  const std::string file = Export("ec");
  const auto to = [&](const std::string& out) {
    return With({"backup", "restore", file, "--to-file", File(out)});
  };
  EXPECT_THAT(Fails(to("key.pem")), AllOf(HasSubstr("in the clear"), HasSubstr("--yes")));
  EXPECT_FALSE(std::filesystem::exists(File("key.pem")));
  Write("there", "precious");
  auto yes = to("there");
  yes.push_back("--yes");
  EXPECT_THAT(Fails(yes), HasSubstr("left as it is"));
  EXPECT_EQ(Read("there"), "precious");
  EXPECT_THAT(Misused(With({"backup", "restore", file, "--to-file", File("k"), "--exportable"})),
              HasSubstr("excludes"));
  EXPECT_EQ(Run(With({"backup", "restore", file, "--to-file", File("k"), "--yes"}, "wrong")).status,
            15);
  EXPECT_FALSE(std::filesystem::exists(File("k")));
}

}  // namespace
}  // namespace keybroker::cli::test
