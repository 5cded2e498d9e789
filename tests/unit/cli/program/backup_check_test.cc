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
  EXPECT_THAT(Run({"status"}).err,
              HasSubstr("warning: backup of mail.example.test --type rsa: last "
                        "verified"));
  Write(record, "no record", 0600);
  EXPECT_THAT(Run({"status"}).err, HasSubstr("warning: backup of mail.example.test --type rsa: "));
}

TEST_F(BackupCheckCommand, FailsForNoKeyThatWasDeleted) {
  Export("rsa");
  const std::string ec = Export("ec");
  Text(With({"drill", File("safe")}));
  Text({"key", "delete", kName, "--type", "ec", "--yes"});
  EXPECT_EQ(StateOf("ec", 0), "retired");
  EXPECT_THAT(Text({"backup", "check"}), HasSubstr(ec + " would bring it back"));
  std::filesystem::rename(ec, ec + ".away");
  EXPECT_EQ(StateOf("ec", 0), "retired");
  EXPECT_THAT(Text({"backup", "check"}), HasSubstr("is not there any more either"));
  std::filesystem::rename(ec + ".away", ec);
  Text(With({"backup", "restore", ec}));
  EXPECT_EQ(StateOf("ec", 0), "good");
}

TEST_F(BackupCheckCommand, CountsADrillOfAnyFileThatIsStillThere) {
  const std::string drilled = Export("rsa");
  Text(With({"drill", drilled}));
  Text(With({"drill", Export("ec")}));
  EXPECT_EQ(StateOf("rsa", 0), "good");
  const std::string newest = Export("rsa");
  EXPECT_EQ(StateOf("rsa", 0), "good");
  EXPECT_THAT(Text({"backup", "check"}),
              AllOf(HasSubstr("proved by another file of the key, " + drilled + ", drilled at "),
                    HasSubstr("of the newest, " + newest +
                              ": this file was never restored in a "
                              "drill: `keybroker drill " +
                              newest + "`")));
  EXPECT_THAT(Answer({"backup", "check"})["backups"][1]["hint"].get<std::string>(),
              HasSubstr(newest));
  EXPECT_THAT(Run({"doctor"}).out, HasSubstr("of the newest, " + newest));
  EXPECT_THAT(Run({"status"}).out, HasSubstr("another file "));
  // It counts as the very file that was drilled, and while it is there.
  const std::string bytes = keybroker::test::ReadAll(drilled);
  keybroker::test::WriteAll(drilled, bytes + "x");
  EXPECT_EQ(StateOf("rsa", 1), "drill-due");
  std::filesystem::remove(drilled);
  EXPECT_EQ(StateOf("rsa", 1), "drill-due");
  keybroker::test::WriteAll(drilled, bytes);
  EXPECT_EQ(StateOf("rsa", 0), "good");
  const std::string record = "state/operator/backups/" + Id(kName, "rsa") + ".json";
  Json old = Json::parse(Read(record));
  old["others_drilled"][0]["drilled"] = 1000000000;
  Write(record, old.dump(), 0600);
  EXPECT_EQ(StateOf("rsa", 1), "drill-due");
  // A drill of the older file counts too, once the newer one is on record.
  Text(With({"drill", drilled}));
  EXPECT_EQ(StateOf("rsa", 0), "good");
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

TEST_F(BackupCheckCommand, GivesCommandsThatCanBeTypedInJsonToo) {
  const std::string config = File("etc/keybroker.toml");
  const auto result = RunAsTyped({"--json", "backup", "check"});
  EXPECT_THAT(result.out, HasSubstr("`keybroker --config " + config + " backup export"));
  EXPECT_THAT(result.out, Not(HasSubstr("`keybroker backup")));
}

class HostWithoutBackups : public SafeHost {};

TEST_F(HostWithoutBackups, PassesTheCheck) {
  EXPECT_THAT(Text({"backup", "check"}), HasSubstr("no backup is on record"));
  Text({"backup", "check", "--require-all"});
}

TEST_F(HostWithoutBackups, IsToldOfTheKeysThatNothingBringsBack) {
  Text({"key", "generate", kName, "--type", "ec"});
  const std::string text = Text({"backup", "check"});
  EXPECT_THAT(text, AllOf(HasSubstr("no-backup  " + std::string(kName)),
                          HasSubstr("`keybroker backup record --external mail.example.test --type "
                                    "ec --note TEXT`"),
                          HasSubstr("--new-generation --exportable` (--backup-at-birth FILE"),
                          HasSubstr("1 current key has no backup at all, which does not count")));
  const Json json = Answer({"backup", "check"});
  EXPECT_EQ(json["without_backup"], 1);
  EXPECT_EQ(json["backups"][0]["kind"], "none");
  EXPECT_EQ(json["backups"][0]["state"], "no-backup");
  EXPECT_EQ(json["backups"][0]["id"], Id(kName, "ec"));
  EXPECT_EQ(Run({"backup", "check", "--require-all"}).status, 1);
  EXPECT_THAT(Run({"doctor"}).out,
              HasSubstr("backup of mail.example.test --type ec  NO BACKUP is on record"));
  const auto status = Run({"status"});
  EXPECT_THAT(status.out, HasSubstr("NONE: `keybroker backup check`"));
  EXPECT_EQ(Json::parse(Run({"--json", "status"}).out)["without_backup"][0]["name"], kName);
}

TEST_F(HostWithoutBackups, IsNotToldOfAKeyWithAnExternalOne) {
  Text({"key", "generate", kName, "--type", "ec"});
  Text({"backup", "record", "--external", kName, "--note", "clone in safe B"});
  EXPECT_EQ(Json::parse(Run({"--json", "backup", "check"}).out)["without_backup"], 0);
  EXPECT_THAT(Run({"status"}).out, Not(HasSubstr("NONE:")));
}

}  // namespace
}  // namespace keybroker::cli::test
