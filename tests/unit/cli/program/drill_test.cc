#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/cli/program/backup_host.h"

namespace keybroker::cli::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class DrillCommand : public BackupHost {};

TEST_F(DrillCommand, ProvesEachBackupOfAFolderAndLeavesNothing) {
  Export("rsa");
  Export("ec");
  const Json keys = Answer({"key", "list"});
  const Json drill = Answer(With({"drill", File("safe"), "--report", File("drill.html")}));
  EXPECT_EQ(drill["count"], 2);
  EXPECT_EQ(drill["good_count"], 2);
  EXPECT_EQ(drill["level"], 2);
  EXPECT_EQ(drill["proved"], true);
  EXPECT_TRUE(drill["next_due"].is_string());
  EXPECT_THAT(drill["token"].get<std::string>(), HasSubstr("scratch token in memory"));
  EXPECT_THAT(drill["destroyed"].get<std::string>(), HasSubstr("seen to be gone"));
  EXPECT_EQ(Answer({"key", "list"}), keys);
  ExpectNoDrillFolderStays();
  EXPECT_THAT(Read("drill.html"),
              AllOf(HasSubstr("<!DOCTYPE html>"), HasSubstr("2 of 2 backups are good"),
                    HasSubstr(drill["results"][0]["sha256"].get<std::string>()),
                    Not(HasSubstr("<script")), Not(HasSubstr("http"))));
}

TEST_F(DrillCommand, ReportsWhatTheNextReaderAsksOfABackup) {
  const std::string file = Export("ec");
  Text(With({"drill", file, "--report", File("drill.html")}));
  const Json backup = Answer({"backup", "inspect", file})["backup"];
  EXPECT_THAT(Read("drill.html"),
              AllOf(HasSubstr(backup["created"].get<std::string>() + "<br>number 1"),
                    HasSubstr("until " + backup["certificates"][0]["not_after"].get<std::string>()),
                    HasSubstr("<th>keybroker</th><td>" +
                              Json::parse(Run({"--json", "drill", file, "--level", "1",
                                               "--password-file", File("password")})
                                              .out)["version"]
                                  .get<std::string>())));
  // Another drill's proof is not lost by a slip.
  const std::string before = Read("drill.html");
  EXPECT_THAT(Fails(With({"drill", file, "--report", File("drill.html")})),
              AllOf(HasSubstr("drill.html exists"), HasSubstr("--overwrite")));
  EXPECT_EQ(Read("drill.html"), before);
  EXPECT_EQ(
      Run(With({"drill", file, "--report", File("drill.html"), "--overwrite"}, "wrong")).status,
      15);
  EXPECT_THAT(Read("drill.html"), AllOf(HasSubstr("mail.example.test ec<br>as the file says"),
                                        HasSubstr("class=\"bad\"")));
  EXPECT_EQ(Run(With({"drill", file, "--overwrite"})).status, 2);
}

TEST_F(DrillCommand, ReportsOnOnePageWhatAnAuditorAsks) {
  const std::string file = Export("ec");
  auto command = With({"drill", file, "--report", File("drill.html")});
  const Json drill = Answer(command);
  const Json one = drill["results"][0];
  const std::string html = Read("drill.html");
  for (const char* field : {"time", "next_due", "operator", "destroyed", "level_means"}) {
    ASSERT_TRUE(drill[field].is_string()) << field << drill;
    EXPECT_THAT(html, HasSubstr(drill[field].get<std::string>()));
  }
  for (const char* field : {"sha256", "spki_sha256", "name", "mechanisms"}) {
    EXPECT_THAT(html, HasSubstr(one[field].get<std::string>()));
  }
  EXPECT_THAT(html,
              AllOf(HasSubstr("<th>level</th><td>2: "), HasSubstr("scratch token in memory"),
                    HasSubstr("<td>MAC "), HasSubstr("<br>key "), HasSubstr("<br>token "),
                    HasSubstr("class=\"good\">good</td>"), HasSubstr("@media print"),
                    Not(HasSubstr("<script")), Not(HasSubstr("src=")), Not(HasSubstr("url("))));
}

TEST_F(DrillCommand, SaysWhichFileIsBad) {
  const std::string file = Export("rsa");
  Export("ec");
  std::string bytes = keybroker::test::ReadAll(file);
  bytes.pop_back();
  Write("safe/cut <b>.p12", bytes);
  const auto result = Run(With({"--json", "drill", File("safe"), "--report", File("d.html")}));
  EXPECT_EQ(result.status, 1);
  const Json drill = Json::parse(result.out, nullptr, false);
  EXPECT_EQ(drill["good_count"], 2);
  EXPECT_EQ(drill["results"][0]["code"], "truncated");
  EXPECT_TRUE(drill["next_due"].is_null());
  EXPECT_THAT(Read("d.html"), HasSubstr("now: not every backup was proved"));
  EXPECT_THAT(Read("d.html"), AllOf(HasSubstr("cut &lt;b&gt;.p12"), Not(HasSubstr("cut <b>"))));
  EXPECT_EQ(Run(With({"drill", file}, "wrong")).status, 15);
}

TEST_F(DrillCommand, GivesEachFailureACodeOfItsOwn) {
  const std::string file = Export("rsa");
  const auto code = [&](const std::string& path, int status) {
    const auto result = Run(With({"--json", "drill", path}, "wrong"));
    EXPECT_EQ(result.status, status);
    return Json::parse(result.out, nullptr, false)["results"][0]["code"];
  };
  // The file is known, so that only the password can be wrong.
  EXPECT_EQ(code(file, 15), "wrong-password");
  const auto verify = Run(With({"--json", "backup", "verify", file}, "wrong"));
  EXPECT_EQ(verify.status, 15);
  EXPECT_EQ(Json::parse(verify.out)["error"]["code"], "wrong-password");
  std::filesystem::remove(File("state/operator/backups/" + Id(kName, "rsa") + ".json"));
  EXPECT_EQ(code(file, 15), "wrong-password-or-damaged");
  EXPECT_EQ(code(File("nosuch.p12"), 1), "not-found");
}

TEST_F(DrillCommand, PrintsNoFileNameThatSteersATerminal) {
  Write("safe/a\n\x1b[2J\xe2\x80\xae\xc2\x9b.p12", "no backup");
  const auto result = Run(With({"drill", File("safe"), "--report", File("d.html")}));
  const auto json = Run(With({"--json", "drill", File("safe")}));
  const std::string all = result.out + result.err + json.out + json.err + Read("d.html");
  for (const char* raw : {"\x1b", "\xe2\x80\xae", "\xc2\x9b", "a\n"}) {
    EXPECT_THAT(all, Not(HasSubstr(raw)));
  }
  EXPECT_THAT(result.out, HasSubstr("a\\x0a\\x1b[2J\\u{202e}\\u{009b}.p12"));
}

TEST_F(DrillCommand, ShowsInStatusAndDoctor) {
  const auto doctor = [&] { return Run({"doctor"}).out; };
  EXPECT_THAT(doctor(), HasSubstr("none is on record: `keybroker backup export"));
  const std::string file = Export("rsa");
  EXPECT_THAT(doctor(), HasSubstr("never restored in a drill: `keybroker drill " + file));
  Text(With({"drill", file}));
  EXPECT_THAT(doctor(), HasSubstr(", drilled at "));
  const auto status = Run({"--json", "status"});
  const Json json = Json::parse(status.out, nullptr, false);
  ASSERT_EQ(json["backups"].size(), 2U);  // by name and type: ec, which has none, and rsa
  EXPECT_TRUE(json["backups"][0]["verified"].is_null());
  EXPECT_EQ(json["backups"][1]["file"], file);
  EXPECT_TRUE(json["backups"][1]["drilled"].is_string());
  EXPECT_THAT(Run({"status"}).out, HasSubstr("LAST DRILLED"));
  // Both go by age.
  const std::string record = "state/operator/backups/" + Id(kName, "rsa") + ".json";
  Json old = Json::parse(Read(record));
  old["drilled"] = 1000000000;
  Write(record, old.dump());
  EXPECT_THAT(doctor(), AllOf(HasSubstr("last drilled"), HasSubstr("days ago")));
  old["verified"] = 1000000000;
  Write(record, old.dump());
  EXPECT_THAT(doctor(), AllOf(HasSubstr("last verified"), HasSubstr("days ago")));
}

TEST_F(DrillCommand, GoesToANamedTokenByObjectsOfASessionOnly) {
  const std::string file = Export("ec");
  const Json before = Answer({"key", "list"});
  const Json drill = Answer(With({"drill", file, "--token", "main"}));
  EXPECT_THAT(drill["token"].get<std::string>(), HasSubstr("token \"main\""));
  EXPECT_EQ(Answer({"key", "list"}), before);
}

TEST_F(DrillCommand, AtLevelOneNeedsNoToken) {
  const std::string file = Export("ec");
  const Json drill = Answer(With({"drill", file, "--level", "1", "--module", "/nowhere"}));
  EXPECT_EQ(drill["good_count"], 1);
  EXPECT_EQ(drill["destroyed"], "nothing was made");
  EXPECT_TRUE(drill["next_due"].is_null());
  EXPECT_THAT(Text(With({"drill", file, "--level", "1"})), HasSubstr("next due: now: this level"));
  EXPECT_EQ(Run(With({"--json", "drill", file, "--report", "-"})).status, 2);
  EXPECT_THAT(Fails(With({"drill", file, "--module", "/nowhere"})), HasSubstr("/nowhere"));
  EXPECT_EQ(Run(With({"drill", file, "--level", "4"})).status, 2);
}

}  // namespace
}  // namespace keybroker::cli::test
