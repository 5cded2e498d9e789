// Tokens and modules that are not as the commands want them: each gets an error that says what to
// do, and keeps everything that was on the token.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include "unit/cli/program/host.h"

namespace keybroker::cli::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class BadToken : public Host {
 protected:
  // WithModule is the arguments that configure "main" with another module.
  keybroker::test::Arguments WithModule(const std::string& module) const {
    auto arguments = TokenArguments("main", "stack");
    arguments[4] = module;
    return arguments;
  }

  // Protect switches the write protection of a token behind the faulty module on or off.
  void Protect(bool on) const {
    const std::string file = "etc/tokens.d/main.toml";
    const std::string line = "\"KB_FAULTY_WRITE_PROTECTED\" = \"1\"\n";
    std::string text = Read(file);
    const size_t at = text.find(line);
    if (at != std::string::npos) text.erase(at, line.size());
    Write(file, on ? text + line : text);
  }
};

TEST_F(BadToken, WhoseModuleIsNoLibraryIsNotConfigured) {
  EXPECT_THAT(Fails(WithModule("/etc/passwd")),
              HasSubstr("/etc/passwd cannot be loaded: invalid ELF header; \"module\" in the "
                        "token's file must name the vendor's PKCS#11 module"));
  EXPECT_THAT(Fails(WithModule("/etc")), HasSubstr("/etc is no file"));
  EXPECT_FALSE(std::filesystem::exists(File("etc/tokens.d/main.toml")));
}

TEST_F(BadToken, WhoseModuleDoesNotStartSaysWhereToLook) {
  auto arguments = TokenArguments("main", "stack");
  for (auto& argument : arguments) {
    if (argument.starts_with("SOFTHSM2_CONF=")) argument = "SOFTHSM2_CONF=/nowhere/softhsm2.conf";
  }
  EXPECT_THAT(Fails(arguments),
              AllOf(HasSubstr("does not start: C_Initialize: CKR_GENERAL_ERROR"),
                    HasSubstr("[token.environment] (SOFTHSM2_CONF)"), HasSubstr("token user")));
}

TEST_F(BadToken, WithAProfileThatIsNotThereIsNotConfigured) {
  auto arguments = TokenArguments("main", "stack");
  for (auto& argument : arguments) {
    if (argument == "softhsm2") argument = "softhsm3";
  }
  EXPECT_THAT(Fails(arguments), AllOf(HasSubstr("softhsm3.toml"), HasSubstr("token probe")));
  EXPECT_FALSE(std::filesystem::exists(File("etc/tokens.d/main.toml")));
}

TEST_F(BadToken, ThatIsAbsentIsFoundAgainWithItsKey) {
  InitToken();
  Text({"key", "generate", kName});
  const std::string id = Id(kName, "ec");
  std::filesystem::rename(File("token/tokens"), File("token/elsewhere"));
  std::filesystem::create_directory(File("token/tokens"));
  GiveToTokenUser("token/tokens");
  for (const keybroker::test::Arguments& command :
       {keybroker::test::Arguments{"key", "list"},
        {"key", "generate", "other.test"},
        {"request", "create", kName},
        {"token", "change-pin", "--new-pin-file", File("so-pin")}}) {
    EXPECT_THAT(Fails(command), AllOf(HasSubstr("no token has the label \"stack\""),
                                      HasSubstr("the module shows one that is not initialised"),
                                      HasSubstr("keybroker token init main")));
  }
  EXPECT_EQ(Read("token/pin"), std::string(kPin) + "\n");
  std::filesystem::remove_all(File("token/tokens"));
  std::filesystem::rename(File("token/elsewhere"), File("token/tokens"));
  EXPECT_EQ(Id(kName, "ec"), id);
}

TEST_F(BadToken, WhoseFolderIsGoneSaysThatTheModuleDoesNotStart) {
  InitToken();
  std::filesystem::rename(File("token/tokens"), File("token/elsewhere"));
  EXPECT_THAT(Fails({"key", "list"}),
              AllOf(HasSubstr("libsofthsm2.so does not start"), HasSubstr("token files")));
}

TEST_F(BadToken, WithAnotherLabelOffersTheCorrectionBeforeAnyInit) {
  MakeToken("another");
  AddToken();
  EXPECT_THAT(Fails({"key", "list"}),
              AllOf(HasSubstr("\"another\" (serial "),
                    HasSubstr("Either correct label and serial in the token's file, or")));
}

TEST_F(BadToken, OfTwoWithOneLabelIsChosenBySerial) {
  MakeToken("stack");
  MakeToken("stack");
  AddToken();
  const std::string error = Fails({"key", "list"});
  EXPECT_THAT(error, AllOf(HasSubstr("two tokens have the label \"stack\""),
                           HasSubstr("set \"serial\" in the token's file")));
  const size_t at = error.find("(serial ") + 8;
  const std::string serial = error.substr(at, error.find(')', at) - at);
  std::string text = Read("etc/tokens.d/main.toml");
  text.insert(text.find("module = "), "serial = \"" + serial + "\"\n");
  Write("etc/tokens.d/main.toml", text);
  Text({"key", "list"});
}

TEST_F(BadToken, ThatIsWriteProtectedKeepsItsKeysAndItsPin) {
  Text(WithModule(KB_BUILD_DIR "/lib/faulty_module.so"));
  Text({"token", "init", "--so-pin-file", File("so-pin")});
  Text({"key", "generate", kName});
  const std::string id = Id(kName, "ec");
  Write("new-pin", "161803\n", 0600);
  Protect(true);
  for (const keybroker::test::Arguments& command :
       {keybroker::test::Arguments{"key", "generate", "other.test"},
        {"key", "delete", kName, "--force", "--yes"},
        {"token", "change-pin", "--new-pin-file", File("new-pin")},
        {"token", "init", "--overwrite", "--yes", "--so-pin-file", File("so-pin")}}) {
    EXPECT_THAT(Fails(command), AllOf(HasSubstr("write-protected"),
                                      HasSubstr("ake the protection off"), HasSubstr("manual")))
        << ::testing::PrintToString(command);
  }
  EXPECT_EQ(Read("token/pin"), std::string(kPin) + "\n");
  EXPECT_EQ(Answer({"token", "list"})["tokens"][0]["token"]["write_protected"], true);
  // It signs as before.
  EXPECT_THAT(Text({"request", "create", kName}), HasSubstr("BEGIN CERTIFICATE REQUEST"));
  Protect(false);
  EXPECT_EQ(Id(kName, "ec"), id);
  EXPECT_EQ(Answer({"key", "list"})["keys"].size(), 1U);
}

TEST_F(BadToken, WhoseFolderIsReadOnlyKeepsItsKeys) {
  if (::getuid() != 0) GTEST_SKIP() << "*** needs root, to mount a folder read-only";
  InitToken();
  Text({"key", "generate", kName});
  const std::string id = Id(kName, "ec");
  const std::string folder = File("token/tokens");
  ASSERT_EQ(::mount(folder.c_str(), folder.c_str(), nullptr, MS_BIND, nullptr), 0);
  ASSERT_EQ(::mount(nullptr, folder.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr),
            0);
  const std::string error = Fails({"key", "generate", "other.test"});
  const std::string request = Text({"request", "create", kName});
  ::umount2(folder.c_str(), MNT_DETACH);
  EXPECT_THAT(error, AllOf(HasSubstr("C_GenerateKeyPair: CKR_"), HasSubstr("did not store it"),
                           HasSubstr("not writable by the token user")));
  EXPECT_THAT(request, HasSubstr("BEGIN CERTIFICATE REQUEST"));
  EXPECT_EQ(Id(kName, "ec"), id);
  EXPECT_EQ(Answer({"key", "list"})["keys"].size(), 1U);
}

TEST_F(BadToken, IsSaidToBeUnknownToAUserWhoMayNotAsk) {
  if (::getuid() != 0) GTEST_SKIP() << "*** needs root, to become another user";
  InitToken();
  const auto result = keybroker::test::RunCommand(
      {"setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
       KB_BUILD_DIR "/bin/keybroker", "--config", File("etc/keybroker.toml"), "token", "list"});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, AllOf(HasSubstr("permission denied"), HasSubstr("Run this as root")));
  EXPECT_THAT(result.err, Not(HasSubstr(kPin)));
}

}  // namespace
}  // namespace keybroker::cli::test
