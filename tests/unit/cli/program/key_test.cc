#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>
#include <vector>

#include "unit/cli/program/host.h"

namespace keybroker::cli::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class KeyCommand : public Host {
 protected:
  void Make() override {
    Host::Make();
    InitToken();
  }

  // Kinds is "TYPE BITS" of every key, in the order of key list.
  std::vector<std::string> Kinds() const {
    std::vector<std::string> kinds;
    const Json json = Answer({"key", "list"});
    for (const auto& key : json["keys"]) {
      kinds.push_back(key["type"].get<std::string>() + " " + std::to_string(int{key["bits"]}));
    }
    return kinds;
  }
};

TEST_F(KeyCommand, ShowsTheHashThatTheAuditLogNamesAKeyBy) {
  const Json made = Answer({"key", "generate", kName});
  const std::string hash = made["key"]["spki_sha256"];
  EXPECT_EQ(hash.size(), 64U);
  EXPECT_THAT(Text({"key", "show", kName}), HasSubstr(hash));
}

TEST_F(KeyCommand, MakesEveryKindOfKey) {
  Text({"key", "generate", "a.test", "--type", "rsa"});
  Text({"key", "generate", "b.test", "--type", "rsa", "--bits", "3072"});
  Text({"key", "generate", "c.test", "--type", "rsa", "--bits", "4096"});
  Text({"key", "generate", "d.test"});
  Text({"key", "generate", "e.test", "--curve", "P-384"});
  Text({"key", "generate", "*.f.test", "--curve", "P-521"});
  EXPECT_THAT(Kinds(), ::testing::UnorderedElementsAre("ec 521", "rsa 2048", "rsa 3072", "rsa 4096",
                                                       "ec 256", "ec 384"));
}

TEST_F(KeyCommand, RefusesWhatIsNoKindOfKey) {
  EXPECT_THAT(Misused({"key", "generate", kName, "--type", "ed25519"}),
              AllOf(HasSubstr("libp11 0.4.12"), HasSubstr("--type ec")));
  EXPECT_THAT(Misused({"key", "generate", kName, "--type", "dsa"}), HasSubstr("rsa or ec"));
  EXPECT_THAT(Misused({"key", "generate", kName, "--type", "rsa", "--bits", "1024"}),
              HasSubstr("2048"));
  EXPECT_THAT(Misused({"key", "generate", kName, "--curve", "P-192"}), HasSubstr("P-256"));
  EXPECT_THAT(Misused({"key", "generate", kName, "--bits", "2048"}), HasSubstr("--type rsa"));
  EXPECT_THAT(Kinds(), ElementsAre());
}

TEST_F(KeyCommand, RefusesNamesThatAreNoDnsNames) {
  for (const char* name : {"Mail.example.test", "10.0.0.1", "a_b.test", "mail.example.test.",
                           "m\xc3\xbcnchen.test", "a.*.test", "-a.test", "mail"}) {
    EXPECT_THAT(Fails({"key", "generate", "--", name}), HasSubstr("name")) << name;
  }
  EXPECT_THAT(Kinds(), ElementsAre());
}

TEST_F(KeyCommand, LeavesAKeyThatExists) {
  Text({"key", "generate", kName});
  const std::string id = Id(kName, "ec");
  EXPECT_THAT(Fails({"key", "generate", kName}),
              AllOf(HasSubstr("exists"), HasSubstr(id), HasSubstr("--new-generation")));
  EXPECT_EQ(Id(kName, "ec"), id);
  EXPECT_THAT(Kinds(), ElementsAre("ec 256"));
}

TEST_F(KeyCommand, KeepsTheOlderGenerationCurrentUntilItIsToldOtherwise) {
  Text({"key", "generate", kName});
  const std::string older = Id(kName, "ec");
  const Json made = Answer({"key", "generate", kName, "--new-generation"});
  const std::string newer = made["key"]["id"];
  EXPECT_EQ(made["key"]["current"], false);
  EXPECT_EQ(Id(kName, "ec"), older);
  Text({"key", "current", kName, "--id", newer});
  EXPECT_EQ(Id(kName, "ec"), newer);
}

TEST_F(KeyCommand, DeletesOnlyWhenForcedAndNeverTheCurrentOfSeveral) {
  Text({"key", "generate", kName});
  const std::string older = Id(kName, "ec");
  EXPECT_THAT(Fails({"key", "delete", kName, "--yes"}),
              AllOf(HasSubstr("no verified backup"), HasSubstr("--force")));
  EXPECT_THAT(Fails({"key", "delete", kName, "--force"}), HasSubstr("--yes"));
  const Json made = Answer({"key", "generate", kName, "--new-generation"});
  EXPECT_THAT(Fails({"key", "delete", kName, "--force", "--yes"}),
              AllOf(HasSubstr("current one of several"), HasSubstr(older)));
  Text({"key", "delete", kName, "--force", "--yes", "--id", made["key"]["id"]});
  EXPECT_EQ(Id(kName, "ec"), older);
  Text({"key", "delete", kName, "--force", "--yes"});
  EXPECT_THAT(Kinds(), ElementsAre());
}

TEST_F(KeyCommand, ForgetsAKeyThatIsLostAndNoOther) {
  Text({"key", "generate", kName});
  const keybroker::test::Arguments forget = {"key", "current", kName, "--type", "ec", "--forget"};
  EXPECT_THAT(Fails(forget), HasSubstr("is on the token main"));
  for (const auto& each : std::filesystem::directory_iterator(File("token/tokens"))) {
    std::filesystem::remove_all(each.path());
  }
  EXPECT_THAT(Fails(forget), HasSubstr("is not known"));
  Text({"token", "init", "--so-pin-file", File("so-pin")});
  EXPECT_THAT(Run({"doctor"}).out, HasSubstr("NO BACKUP"));
  EXPECT_THAT(Text(forget), HasSubstr("off this host's list"));
  EXPECT_THAT(Run({"doctor"}).out, ::testing::Not(HasSubstr("NO BACKUP")));
  EXPECT_THAT(Fails(forget), HasSubstr("no current ec key"));
}

TEST_F(KeyCommand, SaysWhichKeysThereAre) {
  Text({"key", "generate", kName});
  EXPECT_THAT(Fails({"request", "create", "www.example.test"}),
              AllOf(HasSubstr("no key www.example.test"), HasSubstr(kName)));
}

TEST_F(KeyCommand, AsksForATypeWhenANameHasBoth) {
  Text({"key", "generate", kName});
  Text({"key", "generate", kName, "--type", "rsa"});
  EXPECT_THAT(Fails({"request", "create", kName}), HasSubstr("--type"));
}

TEST_F(KeyCommand, AtTheSameTimeAsAnotherLosesNothing) {
  std::vector<std::thread> operators;
  std::vector<int> statuses(4, -1);
  for (size_t i = 0; i < statuses.size(); ++i) {
    operators.emplace_back([this, i, &statuses] {
      statuses[i] = Run({"key", "generate", "host" + std::to_string(i) + ".test"}).status;
    });
  }
  for (auto& one : operators) one.join();
  EXPECT_THAT(statuses, ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(Kinds(), ElementsAre("ec 256", "ec 256", "ec 256", "ec 256"));
  for (size_t i = 0; i < statuses.size(); ++i) {
    EXPECT_THAT(Read("etc/current.toml"), HasSubstr("host" + std::to_string(i) + ".test"));
  }
  EXPECT_EQ(Answer({"audit", "verify", "--log", "operator"})["good"], true);
}

TEST_F(KeyCommand, TwiceAtTheSameTimeMakesOneKey) {
  std::vector<int> statuses(2, -1);
  std::vector<std::thread> operators;
  operators.reserve(statuses.size());
  for (int& status : statuses) {
    operators.emplace_back([this, &status] { status = Run({"key", "generate", kName}).status; });
  }
  for (auto& one : operators) one.join();
  EXPECT_THAT(statuses, ::testing::UnorderedElementsAre(0, 1));
  EXPECT_THAT(Kinds(), ElementsAre("ec 256"));
}

TEST_F(KeyCommand, NamesTheConfigurationInTheCommandsThatItSpeaksOf) {
  const std::string command = "keybroker --config " + File("etc/keybroker.toml").string() + " key ";
  EXPECT_THAT(RunAsTyped({"key", "show", kName}).err, HasSubstr("`" + command + "list`"));
  EXPECT_THAT(RunAsTyped({"key", "list"}).out, HasSubstr("`" + command + "generate NAME`"));
}

TEST_F(KeyCommand, PutsErrorsIntoJsonToo) {
  const auto result = Run({"--json", "request", "create", kName});
  EXPECT_EQ(result.status, 1);
  const Json json = Json::parse(result.out, nullptr, false);
  EXPECT_EQ(json["error"]["code"], "not-found");
  EXPECT_THAT(json["error"]["message"].get<std::string>(), HasSubstr(kName));
}

TEST_F(KeyCommand, ThatIsNotUnderstoodExitsWithTwo) {
  EXPECT_EQ(Run({"key"}).status, 2);
  EXPECT_EQ(Run({"key", "generate"}).status, 2);
  EXPECT_EQ(Run({"key", "generate", kName, "--no-such-option"}).status, 2);
  const auto result = Run({"--json", "key", "frobnicate"});
  EXPECT_EQ(result.status, 2);
  EXPECT_EQ(Json::parse(result.out, nullptr, false)["error"]["code"], "usage");
}

}  // namespace
}  // namespace keybroker::cli::test
