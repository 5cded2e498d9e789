#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "unit/cli/program/host.h"

namespace keybroker::cli::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class TokenCommand : public Host {};

TEST_F(TokenCommand, MakesATokenWhosePinWorks) {
  InitToken();
  const Json json = Answer({"token", "list"});
  ASSERT_EQ(json["tokens"].size(), 1U);
  EXPECT_EQ(json["tokens"][0]["token"]["label"], "stack");
  EXPECT_EQ(json["tokens"][0]["token"]["pin"], "ok");
  EXPECT_EQ(json["tokens"][0]["tokenhost"], "not running");
}

// KeptKek has a KEK that a token kept, against CKA_TOKEN false.
class KeptKek : public TokenCommand {
 protected:
  void SetUp() override {
    TokenCommand::SetUp();
    InitToken();
    Text({"key", "generate", kName});
    EXPECT_THAT(Text({"token", "tidy"}), HasSubstr("nothing was left"));
    const auto made = keybroker::test::RunCommand(
        {"pkcs11-tool", "--module", KB_SOFTHSM, "--token-label", "stack", "--login", "--pin", kPin,
         "--keygen", "--key-type", "AES:32", "--label", "keybroker-kek"},
        {{"SOFTHSM2_CONF", File("token/softhsm2.conf").string()}});
    ASSERT_EQ(made.status, 0) << made.err;
    GiveTokenFiles();
  }
};

TEST_F(KeptKek, IsRemovedByADoctorThatIsToldTo) {
  EXPECT_THAT(Run({"doctor"}).out, HasSubstr("`keybroker doctor --tidy`"));
  EXPECT_THAT(Run({"doctor", "--tidy"}).out,
              AllOf(HasSubstr("\"keybroker-kek\""), HasSubstr("Nothing was changed: say --yes")));
  EXPECT_THAT(Run({"doctor", "--tidy", "--yes"}).out,
              HasSubstr("removed a backup's key-encryption key: \"keybroker-kek\""));
  EXPECT_THAT(Run({"doctor"}).out, Not(HasSubstr("keybroker-kek")));
  EXPECT_THAT(Text({"token", "tidy"}), HasSubstr("nothing was left"));
  EXPECT_NE(Id(kName, "ec"), "");
  EXPECT_THAT(Run({"doctor", "--tidy"}).out, HasSubstr("nothing was left to tidy"));
  Misused({"doctor", "--yes"});
  // One that is not there keeps none of the others from being tidied.
  Text(TokenArguments("absent", "absent"));
  EXPECT_THAT(Run({"doctor", "--tidy"}).out,
              AllOf(HasSubstr("was not tidied: "), HasSubstr("nothing was left to tidy")));
}

TEST_F(KeptKek, IsTidiedOnlyOnceShownAndToldTo) {
  EXPECT_THAT(Run({"doctor"}).out,
              AllOf(HasSubstr("\"keybroker-kek\""), HasSubstr("`keybroker token tidy main`")));
  EXPECT_THAT(Fails({"token", "tidy"}),
              AllOf(HasSubstr("\"keybroker-kek\""), HasSubstr("Nothing was changed: say --yes")));
  EXPECT_THAT(Text({"token", "tidy", "--yes"}), HasSubstr("\"keybroker-kek\" (no id)"));
  EXPECT_THAT(Text({"token", "tidy"}), HasSubstr("nothing was left"));
  EXPECT_NE(Id(kName, "ec"), "");
  EXPECT_THAT(Text({"audit", "show", "--log", "operator"}), HasSubstr("token-tidy"));
  EXPECT_THAT(Fails({"token", "tidy", "nowhere"}), HasSubstr("nowhere"));
}

TEST_F(TokenCommand, RefusesAModuleThatIsNotThere) {
  auto arguments = TokenArguments("main", "stack");
  arguments[4] = "/nowhere/module.so";
  EXPECT_THAT(Fails(arguments), HasSubstr("/nowhere/module.so"));
  EXPECT_FALSE(std::filesystem::exists(File("etc/tokens.d/main.toml")));
}

TEST_F(TokenCommand, RefusesAModuleThatIsNoPkcs11Module) {
  auto arguments = TokenArguments("main", "stack");
  arguments[4] = "/lib/x86_64-linux-gnu/libz.so.1";
  EXPECT_THAT(Fails(arguments), AllOf(HasSubstr("libz.so.1"), HasSubstr("not a PKCS#11 module")));
  EXPECT_FALSE(std::filesystem::exists(File("etc/tokens.d/main.toml")));
}

TEST_F(TokenCommand, LeavesAConfiguredTokenAsItIs) {
  AddToken();
  const std::string before = Read("etc/tokens.d/main.toml");
  EXPECT_THAT(Fails(TokenArguments("main", "other")), HasSubstr("configured already"));
  EXPECT_EQ(Read("etc/tokens.d/main.toml"), before);
}

TEST_F(TokenCommand, LeavesAnInitialisedTokenAsItIs) {
  InitToken();
  Text({"key", "generate", kName});
  EXPECT_THAT(Fails({"token", "init", "--so-pin-file", File("so-pin")}),
              AllOf(HasSubstr("initialised already"), HasSubstr("--overwrite")));
  EXPECT_FALSE(Id(kName, "ec").empty());
}

TEST_F(TokenCommand, AsksBeforeItDestroysAToken) {
  InitToken();
  EXPECT_THAT(Fails({"token", "init", "--so-pin-file", File("so-pin"), "--overwrite"}),
              AllOf(HasSubstr("destroys every key"), HasSubstr("--yes")));
}

TEST_F(TokenCommand, LeavesATokenWhoseSoPinIsAnother) {
  InitToken();
  Text({"key", "generate", kName});
  Write("so-pin", "99999999\n", 0600);
  EXPECT_THAT(Fails({"token", "init", "--so-pin-file", File("so-pin"), "--overwrite", "--yes"}),
              AllOf(HasSubstr("not the token's SO PIN"), HasSubstr("left as they were")));
  EXPECT_FALSE(Id(kName, "ec").empty());
}

TEST_F(TokenCommand, SaysThatTheTokenIsUninitialised) {
  AddToken();
  EXPECT_THAT(Fails({"key", "generate", kName}), HasSubstr("not initialised"));
}

TEST_F(TokenCommand, SaysWhichLabelsThereAre) {
  MakeToken("another");
  AddToken();
  EXPECT_THAT(Fails({"key", "list"}), AllOf(HasSubstr("\"stack\""), HasSubstr("\"another\"")));
}

TEST_F(TokenCommand, RefusesTwoTokensWithOneLabel) {
  MakeToken("stack");
  MakeToken("stack");
  AddToken();
  EXPECT_THAT(Fails({"key", "list"}), AllOf(HasSubstr("\"stack\""), HasSubstr("serial")));
}

TEST_F(TokenCommand, TriesAWrongPinOnceAndThenNoMore) {
  InitToken();
  Write("wrong-pin", "000000\n", 0600);
  EXPECT_THAT(Fails({"key", "list", "--pin-file", File("wrong-pin")}),
              HasSubstr("keybroker token unlock"));
  // Not even the right one, typed: which PIN is right is for the operator to say.
  const keybroker::test::Arguments right = {"key", "list", "--pin-file", File("right-pin")};
  Write("right-pin", std::string(kPin) + "\n", 0600);
  EXPECT_THAT(Fails(right), AllOf(HasSubstr("no login was tried"), HasSubstr("that was typed"),
                                  HasSubstr("keybroker token unlock main")));
  EXPECT_THAT(Text({"token", "unlock"}), HasSubstr("one further login"));
  Text(right);
}

TEST_F(TokenCommand, AMistypedPinDoesNotHoldTheTokenhostUp) {
  InitToken();
  Write("wrong-pin", "000000\n", 0600);
  EXPECT_THAT(Fails({"key", "list", "--pin-file", File("wrong-pin")}),
              HasSubstr("The tokenhost's own login is not held up"));
  EXPECT_THAT(Run({"doctor"}).out, HasSubstr("the last PIN that was typed was refused"));
  Text({"key", "list"});  // logs in as the tokenhost does, from the PIN file
  EXPECT_THAT(Run({"doctor"}).out, Not(HasSubstr("was refused")));
}

TEST_F(TokenCommand, AWrongPinInItsFileIsTriedOnceByWhoeverReadsIt) {
  InitToken();
  Write("token/pin", "000000\n", 0600);
  GiveToTokenUser("token/pin");
  EXPECT_THAT(Fails({"key", "list"}),
              AllOf(HasSubstr("CKR_PIN_INCORRECT"), HasSubstr("by the tokenhost either")));
  const auto listed = Run({"token", "list"});
  EXPECT_THAT(listed.out, HasSubstr("blocked"));
  EXPECT_THAT(listed.err, HasSubstr("its PIN is not tried: the last login was refused"));
  EXPECT_THAT(Fails({"key", "list"}), HasSubstr("no login was tried"));
}

TEST_F(TokenCommand, ChangesThePinAndItsFile) {
  InitToken();
  Write("new-pin", "161803\n", 0600);
  Text({"token", "change-pin", "--new-pin-file", File("new-pin")});
  EXPECT_EQ(Read("token/pin"), "161803");
  Text({"key", "list"});
}

// Whoever can exchange the folder of a PIN file has root write nowhere else than he himself may.
TEST_F(TokenCommand, WritesAPinFileOfTheTokenUsersFolderByItsRights) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give a file away";
  InitToken();
  std::filesystem::create_directory(File("rootonly"));
  Write("rootonly/pin", "of root", 0600);
  std::filesystem::create_directory(File("own"));
  GiveToTokenUser("own");
  std::filesystem::create_directory_symlink(File("rootonly"), File("own/sub"));
  std::string text = Read("etc/tokens.d/main.toml");
  const std::string pin = File("token/pin");
  text.replace(text.find(pin), pin.size(), File("own/sub/pin").string());
  Write("etc/tokens.d/main.toml", text);
  Write("present-pin", std::string(kPin) + "\n", 0600);
  Write("new-pin", "161803\n", 0600);
  EXPECT_THAT(Fails({"token", "change-pin", "--pin-file", File("present-pin"), "--new-pin-file",
                     File("new-pin")}),
              HasSubstr("the PIN was not changed, because its file cannot be"));
  EXPECT_EQ(Read("rootonly/pin"), "of root");
  Text({"key", "list", "--pin-file", File("present-pin")});
}

TEST_F(TokenCommand, RefusesAPinFileThatOthersCanRead) {
  InitToken();
  Write("open-pin", std::string(kPin) + "\n", 0644);
  EXPECT_THAT(Fails({"key", "list", "--pin-file", File("open-pin")}), HasSubstr("chmod 0600"));
}

TEST_F(TokenCommand, NamesTheUserWhoseThePinFileMustBe) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to give a file away";
  InitToken();
  Write("token/pin", std::string(kPin) + "\n", 0600);
  ASSERT_EQ(::chown(File("token/pin").c_str(), 0, 0), 0);
  EXPECT_THAT(Fails({"key", "list"}),
              AllOf(HasSubstr("chown keybroker-token " + File("token/pin").string()),
                    Not(HasSubstr("chmod 0600"))));
  Write("own-pin", std::string(kPin) + "\n", 0600);
  GiveToTokenUser("own-pin");
  EXPECT_THAT(Fails({"key", "list", "--pin-file", File("own-pin")}),
              HasSubstr("chown root " + File("own-pin").string()));
}

TEST_F(TokenCommand, InitNamesTheUserWhoMustBeAbleToWrite) {
  AddToken();
  std::filesystem::permissions(File("token/tokens"), std::filesystem::perms(0555));
  const std::string user = ::geteuid() == 0 ? "runs as the user \"keybroker-token\"" : "runs as";
  EXPECT_THAT(Fails({"token", "init", "--so-pin-file", File("so-pin")}),
              AllOf(HasSubstr("libsofthsm2.so"), HasSubstr(user), HasSubstr("to write where")));
}

TEST_F(TokenCommand, NoticesThatTheConfiguredPinFileIsMissing) {
  std::filesystem::remove(File("token/pin"));
  const std::string missing =
      File("token/pin").string() + " is missing: write the PIN there (mode 0600, owner ";
  const auto added = Run(TokenArguments("main", "stack"));
  EXPECT_EQ(added.status, 0);
  EXPECT_THAT(added.err, HasSubstr(missing));
  EXPECT_THAT(Fails({"token", "init", "--so-pin-file", File("so-pin")}),
              AllOf(HasSubstr(missing), HasSubstr("Nothing was changed")));
  Write("given-pin", std::string(kPin) + "\n", 0600);
  const auto made =
      Run({"token", "init", "--so-pin-file", File("so-pin"), "--pin-file", File("given-pin")});
  EXPECT_EQ(made.status, 0) << made.err;
  EXPECT_THAT(made.err, HasSubstr(missing));
}

TEST_F(TokenCommand, SaysThatTheFolderOfTheProfilesIsMissing) {
  std::string settings = Read("etc/keybroker.toml");
  const size_t at = settings.find(KB_SOURCE_DIR "/tokens");
  ASSERT_NE(at, std::string::npos);
  Write("etc/keybroker.toml", settings.replace(at, sizeof KB_SOURCE_DIR "/tokens" - 1, "/nowhere"));
  EXPECT_THAT(Fails(TokenArguments("main", "stack")),
              AllOf(HasSubstr("profiles_dir /nowhere is not a directory"),
                    HasSubstr("[paths] of keybroker.toml")));
}

TEST_F(TokenCommand, NamesTheFileOfAWrongPinAndADescriptorThatIsNotOpen) {
  InitToken();
  Write("token/pin", "000000\n", 0600);
  GiveToTokenUser("token/pin");
  const std::string source = "(read from " + File("token/pin").string() + ")";
  EXPECT_THAT(Fails({"key", "list"}), AllOf(HasSubstr("CKR_PIN_INCORRECT"), HasSubstr(source)));
  EXPECT_THAT(Fails({"key", "list"}), AllOf(HasSubstr("no login was tried"), HasSubstr(source)));
  EXPECT_THAT(Misused({"key", "list", "--pin-fd", "77"}),
              AllOf(HasSubstr("--pin-fd 77"), HasSubstr("not open"), HasSubstr("77<FILE")));
}

TEST_F(TokenCommand, NeedsAPinFromSomewhere) {
  auto arguments = TokenArguments("main", "stack");
  arguments.resize(arguments.size() - 2);  // no --pin-file
  Text(arguments);
  EXPECT_THAT(Fails({"key", "list"}), AllOf(HasSubstr("no terminal"), HasSubstr("--pin-file")));
}

TEST_F(TokenCommand, NamesLineAndLegalValuesOfATypo) {
  AddToken();
  Write("etc/tokens.d/main.toml", "lable = \"x\"\n" + Read("etc/tokens.d/main.toml"));
  EXPECT_THAT(Fails({"key", "list"}), AllOf(HasSubstr("main.toml:"), HasSubstr("lable")));
}

TEST_F(TokenCommand, MeasuresAToken) {
  InitToken();
  const Json json = Answer({"token", "probe"});
  EXPECT_FALSE(json["lines"].empty());
  EXPECT_THAT(json["profile"].get<std::string>(), HasSubstr("P-256"));
}

}  // namespace
}  // namespace keybroker::cli::test
