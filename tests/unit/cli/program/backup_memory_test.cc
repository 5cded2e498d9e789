// What is left in the memory of a command that made or restored a backup.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keybroker/base/unique_fd.h"
#include "support/sanitized.h"
#include "unit/cli/program/backup_host.h"

namespace keybroker::cli::test {
namespace {

using keybroker::test::Arguments;
using keybroker::test::Process;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

// CommandAtItsEnd runs a command whose standard output is a pipe without room: with its work done
// it stands still in the write of its answer, and its memory can be searched.
class CommandAtItsEnd : public BackupHost {
 protected:
  void SetUp() override {
    if (KB_SANITIZED) GTEST_SKIP() << "*** a sanitizer's memory has no end; release searches";
    if (::getuid() != 0) GTEST_SKIP() << "*** needs root, to read a protected process's memory";
    BackupHost::SetUp();
    Text({"request", "create", kName, "--type", "rsa", "-o", File("rsa.csr")});
    Sign("rsa.csr", "DNS:" + std::string(kName), "rsa.crt");
    ASSERT_EQ(::mkfifo(File("answer").c_str(), 0600), 0);
    pipe_.Reset(::open(File("answer").c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
    const std::string filling(4096, 'x');
    while (::write(pipe_.get(), filling.data(), filling.size()) > 0) {
    }
  }

  // Start gives the command once it writes, by the system call that the kernel says it is in.
  Process Start(const Arguments& arguments) const {
    const std::string program = KB_BUILD_DIR "/bin/keybroker";
    const std::string script = "exec \"$@\" >" + File("answer").string();
    Arguments all = {"sh", "-c", script, "sh", program, "--config", File("etc/keybroker.toml")};
    all.insert(all.end(), arguments.begin(), arguments.end());
    Process process = Process::Start(all);
    const std::string call = "/proc/" + std::to_string(process.pid()) + "/syscall";
    while (keybroker::test::ReadAll(call).substr(0, 6) != "1 0x1 ") {
      if (const auto status = process.Wait(std::chrono::milliseconds(10))) {
        ADD_FAILURE() << "it ended with " << *status << ": " << process.output();
        break;
      }
    }
    return process;
  }

  // Search tells what secret_search finds: "... text 0, private key 0".
  std::string Search(const Process& process, const std::string& text) const {
    Write("wanted", text + "\n", 0600);
    const std::string program = KB_BUILD_DIR "/bin/secret_search";
    return keybroker::test::RunCommand({program, "--text-file", File("wanted"), "--certificate",
                                        File("rsa.crt"), std::to_string(process.pid())})
        .out;
  }

  // ExpectNothingLeft holds the search to what must be there, too.
  void ExpectNothingLeft(const Process& process) const {
    EXPECT_THAT(Search(process, kName), AllOf(HasSubstr("keybroker"), Not(HasSubstr("text 0"))));
    EXPECT_THAT(Search(process, kBackupPassword), EndsWith("text 0, private key 0\n"));
    // As PKCS#12's own key derivation has it (RFC 7292 appendix B.1).
    std::string utf16;
    for (const char c : std::string_view(kBackupPassword)) (utf16 += c) += '\0';
    EXPECT_THAT(Search(process, utf16), EndsWith("text 0, private key 0\n"));
    EXPECT_THAT(Search(process, kPin), EndsWith("text 0, private key 0\n"));
  }

  UniqueFd pipe_;
};

TEST_F(CommandAtItsEnd, HasNeitherKeyNorPasswordAfterAnExport) {
  const Process process =
      Start(With({"backup", "export", kName, "--type", "rsa", "-o", File("safe")}));
  ExpectNothingLeft(process);
}

TEST_F(CommandAtItsEnd, HasNeitherKeyNorPasswordAfterARestore) {
  const std::string file = Export("rsa");
  Text({"key", "delete", kName, "--type", "rsa", "--yes"});
  const Process process = Start(With({"backup", "restore", file}));
  ExpectNothingLeft(process);
}

TEST_F(CommandAtItsEnd, HasNeitherKeyNorPasswordAfterABackupAtBirth) {
  const std::string name = "born." + std::string(kName);
  const Process process = Start(With(
      {"key", "generate", name, "--type", "rsa", "--backup-at-birth", File("safe"), "--force"}));
  Text({"request", "create", name, "-o", File("born.csr")});
  Sign("born.csr", "DNS:" + name, "rsa.crt");
  ExpectNothingLeft(process);
}

// A process with a vendor's module in it is a copy of the command's.
TEST_F(CommandAtItsEnd, HasNoPasswordAfterADrillOfManyFiles) {
  for (int i = 0; i < 8; ++i) Export("rsa");
  const Process process = Start(With({"drill", File("safe")}));
  ExpectNothingLeft(process);
}

TEST_F(CommandAtItsEnd, HasNoRecoveryKeyAfterADrill) {
  OpenSsl({"req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "400", "-subj", "/CN=Recovery",
           "-keyout", File("recovery.key"), "-out", File("recovery.crt")});
  std::filesystem::permissions(File("recovery.key"), std::filesystem::perms(0600));
  std::string text = Read("etc/keybroker.toml");
  const std::string none = "recipients = []";
  ASSERT_NE(text.find(none), std::string::npos);
  Write("etc/keybroker.toml",
        text.replace(text.find(none), none.size(), "recipients = [\"../recovery.crt\"]"));
  Text({"backup", "export", kName, "--type", "rsa", "--format", "cms", "-o", File("safe/k.cms")});
  std::filesystem::copy_file(File("recovery.crt"), File("rsa.crt"),
                             std::filesystem::copy_options::overwrite_existing);
  const Process process =
      Start({"drill", File("safe/k.cms"), "--recovery-key", File("recovery.key")});
  EXPECT_THAT(Search(process, kPin), EndsWith("text 0, private key 0\n"));
}

TEST_F(CommandAtItsEnd, HasNeitherKeyNorPinAfterACopy) {
  Text(TokenArguments("spare", "spare"));
  Text({"token", "init", "spare", "--so-pin-file", File("so-pin")});
  const Process process =
      Start({"key", "copy", kName, "--type", "rsa", "--from", "main", "--to", "spare", "--yes"});
  ExpectNothingLeft(process);
}

}  // namespace
}  // namespace keybroker::cli::test
