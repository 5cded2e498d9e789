// backup check, and the timer that runs it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "unit/cli/program/backup_host.h"

namespace keybroker::cli::test {
namespace {

using keybroker::test::Arguments;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class BackupCheckCommand : public BackupHost {
 protected:
  // StateOf is the word for kName's key of type, of a check that ends with status.
  std::string StateOf(const std::string& type, int status) const {
    const auto result = Run({"--json", "backup", "check"});
    EXPECT_EQ(result.status, status) << result.out << result.err;
    const Json json = Json::parse(result.out, nullptr, false);
    EXPECT_EQ(json["good"], status == 0);
    for (const auto& each : json["backups"]) {
      if (each["type"] == type) return each["state"];
    }
    return "no line";
  }
};

TEST_F(BackupCheckCommand, TellsWhatIsMissingChangedOrDue) {
  EXPECT_EQ(StateOf("rsa", 1), "none");
  const std::string rsa = Export("rsa");
  const std::string ec = Export("ec");
  EXPECT_EQ(StateOf("rsa", 1), "drill-due");
  Text(With({"drill", File("safe")}));
  EXPECT_EQ(StateOf("rsa", 0), "good");
  EXPECT_THAT(Text({"backup", "check"}), HasSubstr("2 of 2 backups are there"));
  const std::string bytes = keybroker::test::ReadAll(rsa);
  keybroker::test::WriteAll(rsa, bytes + "x");
  EXPECT_EQ(StateOf("rsa", 1), "changed");
  EXPECT_EQ(StateOf("ec", 1), "good");
  EXPECT_THAT(Run({"doctor"}).out, HasSubstr(rsa + " is not what it was"));
  std::filesystem::rename(rsa, rsa + ".away");
  EXPECT_EQ(StateOf("rsa", 1), "missing");
  EXPECT_THAT(Run({"backup", "check"}).out,
              AllOf(HasSubstr(rsa + " is not there any more: put it back"), HasSubstr("1 of 2")));
  keybroker::test::WriteAll(rsa, bytes);
  const std::string record = "state/operator/backups/" + Id(kName, "rsa") + ".json";
  Json old = Json::parse(Read(record));
  old["drilled"] = 1000000000;
  Write(record, old.dump(), 0600);
  EXPECT_EQ(StateOf("rsa", 1), "drill-due");
  old["verified"] = 1000000000;
  Write(record, old.dump(), 0600);
  EXPECT_EQ(StateOf("rsa", 1), "verify-due");
}

TEST_F(BackupCheckCommand, IsWhatTheShippedTimerRuns) {
  const std::string units = std::string(KB_SOURCE_DIR) + "/scripts/packaging/systemd/";
  std::istringstream lines(keybroker::test::ReadAll(units + "keybroker-backup-check.service"));
  Arguments command;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("ExecStart=/usr/bin/keybroker ", 0) != 0) continue;
    std::istringstream words(line.substr(line.find(' ')));
    for (std::string word; words >> word;) command.push_back(word);
  }
  EXPECT_EQ(command, (Arguments{"backup", "check"}));
  EXPECT_EQ(Run(command).status, 1);  // two keys that could have a backup, and none
  EXPECT_THAT(keybroker::test::ReadAll(units + "keybroker-backup-check.timer"),
              AllOf(HasSubstr("OnCalendar="), HasSubstr("WantedBy=timers.target"),
                    Not(HasSubstr("Unit="))));
}

class HostWithoutBackups : public Host {};

TEST_F(HostWithoutBackups, PassesTheCheck) {
  EXPECT_THAT(Text({"backup", "check"}), HasSubstr("no backup is on record"));
}

}  // namespace
}  // namespace keybroker::cli::test
