// With two tokens a command asks which one is meant only where it cannot know.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/cli/program/host.h"

namespace keybroker::cli::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kOther[] = "www.example.test";

class TwoTokens : public Host {
 protected:
  void Make() override {
    Host::Make();
    InitToken();
    Text({"key", "generate", kName});
    Write("token/spare-pin", std::string(kPin) + "\n", 0600);
    GiveToTokenUser("token/spare-pin");
    auto spare = TokenArguments("spare", "spare");
    spare.back() = File("token/spare-pin");
    Text(spare);
    Text({"token", "init", "spare", "--so-pin-file", File("so-pin")});
    Text({"key", "generate", kOther, "--token", "spare"});
  }

  // What is wrong with spare's PIN for all that its guard knows.
  std::string PinOfSpare() const {
    const Json json = Json::parse(Run({"--json", "token", "list"}).out, nullptr, false);
    return json["tokens"][1]["token"]["pin"];
  }
};

TEST_F(TwoTokens, AreBothListed) {
  EXPECT_THAT(Text({"key", "list"}),
              AllOf(HasSubstr("TOKEN"), HasSubstr(kName), HasSubstr(kOther), HasSubstr("spare")));
  EXPECT_THAT(Text({"key", "list", "--token", "main"}), Not(HasSubstr(kOther)));
}

TEST_F(TwoTokens, DoNotHideEachOthersKeys) {
  std::filesystem::remove(File("token/spare-pin"));
  const auto listed = Run({"key", "list"});
  EXPECT_EQ(listed.status, 1);
  EXPECT_THAT(listed.out, HasSubstr(kName));
  EXPECT_THAT(listed.err, AllOf(HasSubstr("the keys of the token spare are not listed"),
                                HasSubstr("spare-pin")));
}

TEST_F(TwoTokens, AreFoundByTheKeyWithoutAPinTriedOnTheOther) {
  Write("token/spare-pin", "000000\n", 0600);
  GiveToTokenUser("token/spare-pin");
  MakeCa();
  Text({"request", "create", kName, "-o", File("mail.csr")});
  Sign("mail.csr", std::string("DNS:") + kName, "mail.crt");
  Text({"certificate", "install", kName, File("mail.crt"), "--ca", File("ca.pem")});
  Text({"key", "current", kName});
  EXPECT_EQ(PinOfSpare(), "ok");
}

TEST_F(TwoTokens, AreFoundByTheKeysThatAreBackedUp) {
  Write("password", "correct horse battery staple\n", 0600);
  std::filesystem::create_directory(File("safe"));
  const std::string third = "third.example.test";
  Text({"key", "generate", third, "--exportable", "--token", "spare"});
  Text({"key", "generate", "fourth.example.test", "--exportable", "--token", "spare"});
  const auto exported = [&](keybroker::test::Arguments arguments) {
    arguments.insert(arguments.begin(), {"backup", "export"});
    arguments.insert(arguments.end(), {"-o", File("safe"), "--password-file", File("password")});
    return arguments;
  };
  EXPECT_THAT(Text(exported({third})), HasSubstr("from the token \"spare\""));
  const Json both = Answer(exported({third, "fourth.example.test"}));
  EXPECT_EQ(both["token"], "spare");
  EXPECT_EQ(both["backups"].size(), 2U);
  EXPECT_THAT(Fails(exported({third, kName})), HasSubstr("no token shows each of the keys"));
  EXPECT_THAT(Misused(exported({"--all"})), HasSubstr("say which with --token"));
}

TEST_F(TwoTokens, AreAskedForWhereBothHaveTheKeyOrNoneHas) {
  EXPECT_THAT(Fails({"request", "create", "nowhere.example.test"}),
              AllOf(HasSubstr("no token shows a key nowhere.example.test"),
                    HasSubstr("main, spare"), HasSubstr("--token")));
  Text({"key", "generate", kName, "--token", "spare"});
  EXPECT_THAT(Misused({"request", "create", kName}),
              AllOf(HasSubstr("several tokens hold a key"), HasSubstr("main, spare"),
                    HasSubstr("--token")));
  EXPECT_THAT(Misused({"key", "generate", "new.example.test"}),
              HasSubstr("say which with --token"));
}

TEST_F(TwoTokens, AreListedWhereTheOneNamedIsNot) {
  EXPECT_THAT(Fails({"key", "list", "--token", "nosuch"}),
              AllOf(HasSubstr("there is no token \"nosuch\""),
                    HasSubstr("those configured are: main, spare")));
}

TEST_F(TwoTokens, AreNamedAsTheCommandTakesThem) {
  for (const char* verb : {"unlock", "probe", "change-pin"}) {
    EXPECT_THAT(Misused({"token", verb}),
                AllOf(HasSubstr("name one after the command"), Not(HasSubstr("--token"))))
        << verb;
  }
}

}  // namespace
}  // namespace keybroker::cli::test
