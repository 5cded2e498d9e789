#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "unit/cli/program/host.h"

namespace keybroker::cli::test {
namespace {

using keybroker::test::Process;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// What `printf whole | sha256sum` prints.
constexpr char kWholeSha256[] = "5d5766cf2d78701614200418ee1450690d9af12c84d52545e4802f001ad53099";

class ListenerCommand : public Host {};

TEST_F(ListenerCommand, AddsBindsShowsUnbindsAndRemoves) {
  Text({"listener", "add", "smtp", "--user", "root", "--user", "nobody", "--mode", "0600"});
  Text({"listener", "bind", "smtp", kName, "--type", "ec", "--mechanism", "CKM_ECDSA"});
  const Json shown = Answer({"listener", "show", "smtp"})["listener"];
  EXPECT_EQ(shown["users"], Json({"root", "nobody"}));
  EXPECT_EQ(shown["mode"], "0600");
  EXPECT_EQ(shown["socket"], File("run/smtp/socket").string());
  ASSERT_EQ(shown["bindings"].size(), 1U);
  EXPECT_EQ(shown["bindings"][0]["permitted"], Json({"CKM_ECDSA"}));
  Text({"listener", "unbind", "smtp", kName});
  EXPECT_TRUE(Answer({"listener", "show", "smtp"})["listener"]["bindings"].empty());
  EXPECT_THAT(Fails({"listener", "remove", "smtp"}), HasSubstr("--yes"));
  Text({"listener", "remove", "smtp", "--yes"});
  EXPECT_TRUE(Answer({"listener", "list"})["listeners"].empty());
}

TEST_F(ListenerCommand, RefusesWhatTheBrokerWouldRefuse) {
  EXPECT_THAT(Fails({"listener", "add", "SMTP", "--user", "root"}), HasSubstr("a to z"));
  EXPECT_THAT(Fails({"listener", "add", "admin", "--user", "root"}), HasSubstr("reserved"));
  EXPECT_THAT(Misused({"listener", "add", "smtp"}), HasSubstr("--user"));
  EXPECT_THAT(Fails({"listener", "add", "smtp", "--user", "no-such-user"}),
              HasSubstr("no user \"no-such-user\""));
  EXPECT_THAT(Misused({"listener", "add", "smtp", "--user", "root", "--mode", "rw"}),
              HasSubstr("file mode"));
  EXPECT_TRUE(Answer({"listener", "list"})["listeners"].empty());
}

TEST_F(ListenerCommand, LeavesAListenerThatExistsAndItsSocket) {
  Text({"listener", "add", "smtp", "--user", "root"});
  const std::string before = Read("etc/listeners.d/smtp.toml");
  EXPECT_THAT(Fails({"listener", "add", "smtp", "--user", "nobody"}), HasSubstr("exists already"));
  EXPECT_EQ(Read("etc/listeners.d/smtp.toml"), before);
  EXPECT_THAT(
      Fails({"listener", "add", "imap", "--user", "root", "--socket", File("run/smtp/socket")}),
      HasSubstr("that of the listener \"smtp\""));
}

TEST_F(ListenerCommand, RefusesUnknownMechanismsWithTheLegalNames) {
  Text({"listener", "add", "smtp", "--user", "root"});
  EXPECT_THAT(Fails({"listener", "bind", "smtp", kName, "--mechanism", "CKM_NONSENSE"}),
              AllOf(HasSubstr("CKM_NONSENSE"), HasSubstr("CKM_ECDSA"), HasSubstr("tls-server")));
  EXPECT_THAT(Fails({"listener", "bind", "smtp", kName, "--mechanism", "CKM_RSA_X_509"}),
              HasSubstr("CKM_RSA_X_509 is never permitted"));
  EXPECT_TRUE(Answer({"listener", "show", "smtp"})["listener"]["bindings"].empty());
}

TEST_F(ListenerCommand, ManyAtTheSameTimeLoseNoBinding) {
  Text({"listener", "add", "smtp", "--user", "root"});
  std::vector<std::thread> operators;
  std::vector<int> statuses(6, -1);
  for (size_t i = 0; i < statuses.size(); ++i) {
    operators.emplace_back([this, i, &statuses] {
      statuses[i] = Run({"listener", "bind", "smtp", "k" + std::to_string(i) + ".test"}).status;
    });
  }
  for (auto& one : operators) one.join();
  EXPECT_THAT(statuses, ::testing::Each(0));
  EXPECT_EQ(Answer({"listener", "show", "smtp"})["listener"]["bindings"].size(), statuses.size());
}

TEST_F(ListenerCommand, NamesFileAndLineOfATypo) {
  Text({"listener", "add", "smtp", "--user", "root"});
  Write("etc/listeners.d/smtp.toml", "[listener]\nname = \"smtp\"\nuser = [\"root\"]\n");
  EXPECT_THAT(Fails({"listener", "show", "smtp"}),
              AllOf(HasSubstr("smtp.toml:3"), HasSubstr("user")));
  const auto listed = Run({"listener", "list"});
  EXPECT_EQ(listed.status, 1);
  EXPECT_THAT(listed.err, HasSubstr("smtp.toml:3"));
}

TEST_F(ListenerCommand, ListSaysThatItsDirectoryIsMissing) {
  std::filesystem::remove(File("etc/listeners.d"));
  EXPECT_THAT(Fails({"listener", "list"}),
              AllOf(HasSubstr("listeners.d, is missing"), HasSubstr("keybroker setup")));
}

TEST_F(ListenerCommand, SaysWhatWasWrittenWhenTheBrokerCannotReadItsFilesAgain) {
  InitToken();
  Text({"listener", "add", "smtp", "--user", "root"});
  Process run = Process::Start(
      {KB_BUILD_DIR "/bin/keybroker", "--config", File("etc/keybroker.toml"), "run"});
  ASSERT_TRUE(run.WaitForText("keybroker: ready")) << run.output();
  Write("etc/listeners.d/imap.toml", "[listener]\nuser = [\"root\"]\n");
  const auto bound = Run({"listener", "bind", "smtp", kName});
  EXPECT_EQ(bound.status, 1) << "it is not in force";
  EXPECT_THAT(bound.err,
              AllOf(HasSubstr("the change is written, but not in force"), HasSubstr("imap.toml:"),
                    HasSubstr("run `keybroker reload`"), Not(HasSubstr("othing was changed"))));
  EXPECT_THAT(Read("etc/listeners.d/smtp.toml"), HasSubstr(kName));
  std::filesystem::remove(File("etc/listeners.d/imap.toml"));
  Text({"reload"});
  EXPECT_EQ(run.Stop(), 0) << run.output();
}

TEST_F(ListenerCommand, SetupSaysWhatItMadeAndRefusesOtherOptionsThanTheFileHas) {
  const std::string before = Read("etc/keybroker.toml");
  EXPECT_THAT(Text({"setup", "--runtime-dir", File("run")}),
              AllOf(HasSubstr("kept"), HasSubstr("the broker makes " + File("run").string())));
  EXPECT_EQ(Run({"setup"}).err, "");
  const std::string profiles = std::string(KB_SOURCE_DIR) + "/tokens";
  std::string other = before;
  Write("etc/keybroker.toml", other.replace(other.find(profiles), profiles.size(), "/nowhere"));
  EXPECT_THAT(Run({"setup"}).err, HasSubstr("the token profiles are not in /nowhere"));
  Write("etc/keybroker.toml", before);
  EXPECT_THAT(Fails({"setup", "--runtime-dir", File("elsewhere")}),
              AllOf(HasSubstr("says runtime_dir = \"" + File("run").string() + "\" and not"),
                    HasSubstr("Nothing was changed")));
  EXPECT_EQ(Read("etc/keybroker.toml"), before);
}

TEST_F(ListenerCommand, WhyAnswersFromTheFilesWhenNoBrokerRuns) {
  Text({"listener", "add", "smtp", "--user", "root"});
  const auto ask = [this](const char* mechanism) {
    const auto result = Run({"--json", "why", "smtp", kName, mechanism});
    EXPECT_EQ(result.status, 3) << "denied";
    return Json::parse(result.out, nullptr, false);
  };
  Json why = ask("CKM_ECDSA");
  EXPECT_EQ(why["granted"], false);
  EXPECT_EQ(why["decision"], "key-not-bound");
  EXPECT_EQ(why["from"], "files");
  why = ask("CKM_RSA_X_509");
  EXPECT_EQ(why["decision"], "mechanism-unknown");
  EXPECT_THAT(why["text"].get<std::string>(), HasSubstr("CKM_RSA_X_509"));
  EXPECT_THAT(Fails({"why", "imap", kName, "CKM_ECDSA"}), HasSubstr("no listener \"imap\""));
}

TEST_F(ListenerCommand, WithoutConfigurationSaysWhatMakesOne) {
  std::filesystem::remove(File("etc/keybroker.toml"));
  EXPECT_THAT(Fails({"listener", "list"}),
              AllOf(HasSubstr("keybroker.toml"), HasSubstr("keybroker setup")));
}

// A whole day: the broker is told of each change, status and doctor see it.
TEST_F(ListenerCommand, ChangesReachARunningBroker) {
  InitToken();
  Text({"listener", "add", "smtp", "--user", "root"});
  EXPECT_EQ(Run({"status"}).status, 1);
  Process run = Process::Start(
      {KB_BUILD_DIR "/bin/keybroker", "--config", File("etc/keybroker.toml"), "run"});
  ASSERT_TRUE(run.WaitForText("keybroker: ready")) << run.output();
  EXPECT_EQ(Answer({"key", "generate", kName})["broker_reloaded"], true);
  EXPECT_EQ(Answer({"listener", "bind", "smtp", kName})["broker_reloaded"], true);
  Json status = Answer({"status"});
  ASSERT_EQ(status["listeners"].size(), 1U);
  ASSERT_EQ(status["listeners"][0]["keys"].size(), 1U);
  EXPECT_EQ(status["listeners"][0]["keys"][0]["name"], kName);
  EXPECT_EQ(status["tokens"][0]["state"], "ready");
  EXPECT_EQ(Answer({"why", "smtp", kName, "CKM_ECDSA"})["granted"], true);
  EXPECT_EQ(Answer({"why", "smtp", kName, "CKM_ECDSA"})["from"], "broker");
  Text({"listener", "bind", "smtp", "other.example.test"});
  const auto no_key = Run({"why", "smtp", "other.example.test", "CKM_ECDSA"});
  EXPECT_EQ(no_key.status, 3);
  EXPECT_THAT(no_key.out, AllOf(HasSubstr("there is no key \"other.example.test\""),
                                HasSubstr("key generate other.example.test"),
                                HasSubstr("binding of listener \"smtp\" waits for it"),
                                Not(HasSubstr("listener bind"))));
  // Where a backup of it is on record, that is the way.
  std::filesystem::create_directories(File("state/operator/backups"));
  Write("state/operator/backups/0a.json", Json{{"id", "0a"},
                                               {"name", "other.example.test"},
                                               {"type", "ec"},
                                               {"file", File("o.p12").string()},
                                               {"sha256", kWholeSha256},
                                               {"verified", 9}}
                                              .dump());
  const auto why = [&] { return Run({"why", "smtp", "other.example.test", "CKM_ECDSA"}).out; };
  const std::string restore = "`keybroker backup restore " + File("o.p12").string() + "`";
  Write("o.p12", "whole");
  EXPECT_THAT(why(), AllOf(HasSubstr("there is no key \"other.example.test\""),
                           HasSubstr(restore + " puts it back"),
                           HasSubstr("binding of listener \"smtp\" waits for it"),
                           Not(HasSubstr("key generate"))));
  Write("o.p12", "changed");
  EXPECT_THAT(why(), HasSubstr(restore + ", once that file is there again as it was, puts it"));
  std::filesystem::remove(File("state/operator/backups/0a.json"));
  Text({"listener", "unbind", "smtp", "other.example.test"});
  const std::string lib = KB_BUILD_DIR "/lib/";
  const std::string module = lib + "libkeybroker-pkcs11.so";
  const auto odd = Run({"doctor", "--module", "/etc/passwd", "--engine", module});
  EXPECT_EQ(odd.status, 1);
  EXPECT_THAT(odd.out, AllOf(HasSubstr("/etc/passwd is none that can be loaded"),
                             HasSubstr("it has no bind_engine")));
  const auto doctor =
      Run({"doctor", "--module", module, "--engine", lib + "engines-3/keybroker.so"});
  EXPECT_EQ(doctor.status, 0) << doctor.out;
  EXPECT_EQ(Answer({"listener", "unbind", "smtp", kName})["broker_reloaded"], true);
  EXPECT_TRUE(Answer({"status"})["listeners"][0]["keys"].empty());
  EXPECT_EQ(run.Stop(), 0) << run.output();
  EXPECT_EQ(Answer({"audit", "verify"})["good"], true);
}

TEST_F(ListenerCommand, DoctorSaysWhatIsWrongAndWhatToDo) {
  AddToken();
  const auto doctor = Run({"--json", "doctor", "--module", File("none.so")});
  EXPECT_EQ(doctor.status, 1);
  const Json json = Json::parse(doctor.out, nullptr, false);
  EXPECT_EQ(json["good"], false);
  std::map<std::string, std::string> wrong;
  for (const auto& line : json["lines"]) {
    if (line["state"] == "wrong") wrong[line["subject"]] = line["text"];
  }
  EXPECT_THAT(wrong["broker"], HasSubstr("keybroker run"));
  EXPECT_THAT(wrong["token main"], HasSubstr("keybroker token init"));
  EXPECT_THAT(wrong["tokenhost main"], HasSubstr("keybroker run"));
  EXPECT_THAT(wrong["listener module"], HasSubstr("none.so is missing"));
}

}  // namespace
}  // namespace keybroker::cli::test
