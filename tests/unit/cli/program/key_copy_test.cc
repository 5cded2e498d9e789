// `key copy` between real tokens: SoftHSM to SoftHSM, SoftHSM to NSS and back.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <vector>

#include "support/token_modules.h"
#include "unit/cli/program/host.h"

namespace keybroker::cli::test {
namespace {

using keybroker::test::Arguments;
using keybroker::test::Process;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class KeyCopy : public Host {
 protected:
  void Make() override {
    Host::Make();
    InitToken();
    Text(TokenArguments("spare", "spare"));
    Text({"token", "init", "spare", "--so-pin-file", File("so-pin")});
  }

  // AddNss configures the token "nss", a database of its own.
  void AddNss() const {
    const auto folder = File("token/nss");
    std::filesystem::create_directory(folder);
    const std::string database = "sql:" + folder.string();
    const auto made =
        keybroker::test::RunCommand({"certutil", "-N", "-d", database, "-f", File("token/pin")});
    ASSERT_EQ(made.status, 0) << made.err;
    GiveToTokenUser("token/nss");
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      GiveToTokenUser(std::filesystem::relative(entry.path(), dir_.path()));
    }
    Text({"token", "add", "nss", "--module", keybroker::test::NssModule(), "--label",
          "NSS Certificate DB", "--init-args",
          "configdir='" + database + "' certPrefix='' keyPrefix='' secmod='secmod.db' flags=",
          "--profile", "nss", "--pin-file", File("token/pin")});
  }

  void MakeKey(const std::string& type, const std::string& token = "main") const {
    Text({"key", "generate", kName, "--type", type, "--exportable", "--token", token});
  }

  static Arguments Copy(const std::string& from, const std::string& to, Arguments more = {}) {
    Arguments all = {"key", "copy", kName, "--from", from, "--to", to};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  Json Key(const std::string& token, const std::string& type) const {
    return Answer({"key", "show", kName, "--type", type, "--token", token})["keys"][0];
  }

  // ExpectCopied tells whether the target has the very key, hardened, and signs with it.
  void ExpectCopied(const std::string& from, const std::string& to, const std::string& type) const {
    const Json there = Key(to, type);
    EXPECT_EQ(there["spki"], Key(from, type)["spki"]);
    EXPECT_EQ(there["id"], Key(from, type)["id"]);
    EXPECT_EQ(there["exportable"], false);
    EXPECT_EQ(there["sensitive"], true);
    Text({"request", "create", kName, "--type", type, "--token", to, "-o", File("to.csr")});
    OpenSsl({"req", "-in", File("to.csr"), "-noout", "-verify"});
    std::filesystem::remove(File("to.csr"));
  }

  std::string Log() const { return Read("state/operator/audit.log"); }
};

TEST_F(KeyCopy, TakesRsaAndEcKeysFromOneSoftHsmToAnother) {
  for (const std::string type : {"rsa", "ec"}) {
    MakeKey(type);
    const Json done = Answer(Copy("main", "spare", {"--type", type, "--yes"}));
    EXPECT_EQ(done["present"], false);
    EXPECT_THAT(done["how"], AllOf(HasSubstr("aes256-wrap-pad"), HasSubstr("SHA-1")));
    ExpectCopied("main", "spare", type);
  }
  EXPECT_EQ(Run({"token", "tidy", "spare", "--yes"}).status, 0);
  EXPECT_THAT(Log(), AllOf(HasSubstr("\"key-copy-from\""), HasSubstr("\"key-copy-to\""),
                           HasSubstr("receiving key ")));
  EXPECT_EQ(Answer({"audit", "verify", "--log", "operator"})["good"], true);
}

TEST_F(KeyCopy, TakesRsaAndEcKeysToNssAndBackByTheAlgorithmAndNotItsNumber) {
  AddNss();
  for (const std::string type : {"rsa", "ec"}) {
    MakeKey(type);
    Text(Copy("main", "nss", {"--type", type, "--yes"}));
    ExpectCopied("main", "nss", type);
    Text({"key", "delete", kName, "--type", type, "--token", "nss", "--yes", "--force"});
    Text({"key", "delete", kName, "--type", type, "--token", "main", "--yes", "--force"});
    std::filesystem::remove(File("etc/current.toml"));
    MakeKey(type, "nss");
    Text(Copy("nss", "spare", {"--type", type, "--yes"}));
    ExpectCopied("nss", "spare", type);
  }
}

TEST_F(KeyCopy, BringsTheCertificateAndStaysCurrent) {
  MakeKey("ec");
  MakeCa();
  Text({"request", "create", kName, "-o", File("k.csr")});
  Sign("k.csr", std::string("DNS:") + kName, "k.crt");
  Text({"certificate", "install", kName, File("k.crt"), "--ca", File("ca.pem")});
  Text({"key", "copy", kName, "--to", "spare", "--yes"});  // the one token that has it
  EXPECT_EQ(Key("spare", "ec")["certificate"]["issuer"], "CN=Test CA");
  EXPECT_EQ(Key("spare", "ec")["current"], true);
}

TEST_F(KeyCopy, ComparesAKeyThatIsThereAndChangesNothing) {
  MakeKey("ec");
  Text(Copy("main", "spare", {"--yes"}));
  const Json again = Answer({"key", "copy", kName, "--to", "spare"});  // nothing to confirm
  EXPECT_EQ(again["present"], true);
  EXPECT_EQ(again["differences"], Json::array());
  EXPECT_EQ(Answer({"key", "list", "--token", "spare"})["keys"].size(), 1U);
  std::string toml = Read("etc/keybroker.toml");
  toml.replace(toml.find("restore_exportable = false"), 26, "restore_exportable = true ");
  Write("etc/keybroker.toml", toml);
  EXPECT_THAT(Text(Copy("main", "spare", {"--exportable"})), HasSubstr("it is not exportable"));
  EXPECT_THAT(Text({"key", "show", kName}),
              AllOf(HasSubstr("on the token \"main\""), HasSubstr("on the token \"spare\"")));
}

TEST_F(KeyCopy, LeavesOutACertificateOfAnotherKey) {
  MakeKey("ec");
  MakeCa();
  OpenSsl({"x509", "-in", File("ca.pem"), "-outform", "DER", "-out", File("ca.der")});
  const auto put = keybroker::test::RunCommand(
      {"pkcs11-tool", "--module", KB_SOFTHSM, "--login", "--pin", kPin, "--token-label", "stack",
       "--write-object", File("ca.der"), "--type", "cert", "--id", Key("main", "ec")["id"]},
      {{"SOFTHSM2_CONF", File("token/softhsm2.conf")}});
  ASSERT_EQ(put.status, 0) << put.err;
  GiveTokenFiles();
  EXPECT_THAT(Run(Copy("main", "spare", {"--yes"})).err, HasSubstr("is of another key"));
  EXPECT_EQ(Key("spare", "ec")["certificate"], nullptr);
  ExpectCopied("main", "spare", "ec");
}

TEST_F(KeyCopy, TellsOnWhichTokenTheKeyIsNot) {
  MakeKey("ec");
  EXPECT_THAT(Fails({"key", "copy", kName, "--to", "main"}),
              HasSubstr("the token \"spare\", which it would be copied from"));
}

TEST_F(KeyCopy, IsABackupOfTheOtherOnceADrillProvedIt) {
  MakeKey("ec");
  EXPECT_THAT(Text(Copy("main", "spare", {"--yes"})),
              AllOf(HasSubstr("it is not exportable from there"),
                    HasSubstr("backup record --external mail.example.test --type ec --token main "
                              "--at spare --note \"key copy\"")));
  Text({"backup", "record", "--external", kName, "--token", "main", "--at", "spare", "--note",
        "key copy"});
  Text({"drill", "--external", kName, "--type", "ec"});
  Text({"key", "delete", kName, "--token", "main", "--yes"});
}

TEST_F(KeyCopy, IsConfirmedByTheFingerprint) {
  MakeKey("ec");
  EXPECT_THAT(Fails(Copy("main", "spare")),
              AllOf(HasSubstr("SHA-256 fingerprint"), HasSubstr("--yes")));
  EXPECT_THAT(Text({"key", "list", "--token", "spare"}), HasSubstr("no key yet"));
  EXPECT_THAT(Log(), AllOf(HasSubstr("key-copy-to"), Not(HasSubstr("key-copy-from"))));
}

TEST_F(KeyCopy, PrintsTheWholeCommandForAPreparedKey) {
  EXPECT_THAT(Text(Copy("main", "spare", {"--type", "ec", "--prepare"})),
              HasSubstr("key copy mail.example.test --type ec --from main --to spare "
                        "--fingerprint "));
}

TEST_F(KeyCopy, GoesToAPreparedKeyOfTheRightFingerprintOnly) {
  MakeKey("rsa");
  const Json made = Answer(Copy("main", "spare", {"--prepare"}));
  const std::string fingerprint = made["fingerprint"];
  std::string wrong = fingerprint;
  wrong[0] = wrong[0] == '0' ? '1' : '0';
  EXPECT_THAT(Fails(Copy("main", "spare", {"--fingerprint", wrong})),
              AllOf(HasSubstr(wrong), HasSubstr("there is " + fingerprint)));
  EXPECT_THAT(Misused(Copy("main", "spare", {"--fingerprint", "12"})), HasSubstr("64 digits"));
  EXPECT_THAT(Text({"key", "list", "--token", "spare"}), HasSubstr("no key yet"));
  Text(Copy("main", "spare", {"--fingerprint", fingerprint}));
  ExpectCopied("main", "spare", "rsa");
  // It was good for one copy.
  Text({"key", "delete", kName, "--token", "spare", "--yes", "--force"});
  EXPECT_THAT(Fails(Copy("main", "spare", {"--fingerprint", fingerprint})),
              HasSubstr("none was prepared"));
}

TEST_F(KeyCopy, IsNoBackupOfItselfOnceTheOtherIsGone) {
  MakeKey("ec");
  Text(Copy("main", "spare", {"--yes"}));
  Text({"backup", "record", "--external", kName, "--token", "main", "--at", "spare", "--note",
        "key copy"});
  Text({"drill", "--external", kName, "--type", "ec"});
  EXPECT_THAT(Text({"backup", "check"}), HasSubstr("the token \"spare\" signed as the key"));
  std::filesystem::rename(File("etc/tokens.d/main.toml"), File("main.toml"));
  const auto alone = Run({"backup", "check"});
  EXPECT_EQ(alone.status, 1);
  EXPECT_THAT(alone.out, AllOf(HasSubstr("no-standby"), HasSubstr("is the key itself now")));
  std::filesystem::rename(File("main.toml"), File("etc/tokens.d/main.toml"));
  Text({"key", "delete", kName, "--token", "main", "--yes"});
  EXPECT_THAT(
      Run({"backup", "check"}).out,
      AllOf(HasSubstr("no-standby"), HasSubstr("which was deleted there: the one on \"spare\"")));
}

TEST_F(KeyCopy, StaysTheCurrentKeyWhereItIsWhenTheCopyIsDeleted) {
  MakeKey("ec");
  Text(Copy("main", "spare", {"--yes"}));
  const Json gone = Answer({"key", "delete", kName, "--token", "spare", "--yes", "--force"});
  EXPECT_EQ(gone["token"], "spare");
  EXPECT_EQ(gone["still_on"], Json::array({"main"}));
  EXPECT_THAT(Read("etc/current.toml"), HasSubstr(kName));
  EXPECT_EQ(Key("main", "ec")["current"], true);
  Text({"key", "delete", kName, "--token", "main", "--yes", "--force"});
  EXPECT_THAT(Read("etc/current.toml"), Not(HasSubstr(kName)));
}

TEST_F(KeyCopy, SaysThatItIsThereAlreadyWhereNoOtherCanBeCopied) {
  MakeKey("ec");
  Text(Copy("main", "spare", {"--yes"}));
  EXPECT_THAT(Fails({"key", "copy", kName, "--to", "main", "--yes"}),
              AllOf(HasSubstr("the token \"main\" has a key mail.example.test already"),
                    HasSubstr("not exportable from the token \"spare\"")));
}

TEST_F(KeyCopy, RefusesAKeyThatIsNotExportable) {
  AddNss();  // whose token would wrap it all the same
  for (const std::string token : {"main", "nss"}) {
    Text({"key", "generate", kName, "--token", token});
    EXPECT_THAT(Fails(Copy(token, "spare", {"--yes"})),
                AllOf(HasSubstr("not exportable"), HasSubstr("backup restore")));
    std::filesystem::remove(File("etc/current.toml"));
  }
  EXPECT_THAT(Text({"key", "list", "--token", "spare"}), HasSubstr("no key yet"));
}

TEST_F(KeyCopy, RefusesTheSameTokenUnderTwoNames) {
  MakeKey("ec");
  Text(TokenArguments("alias", "stack"));
  EXPECT_THAT(Misused(Copy("main", "main")), HasSubstr("the same token"));
  EXPECT_THAT(Fails(Copy("main", "alias", {"--yes"})), HasSubstr("very token"));
}

// Two that looked before either had the lock: whoever gets it second looks again.
TEST_F(KeyCopy, OfOneKeyTwiceAtOnceIsACopyAndAComparison) {
  MakeKey("ec");
  const auto lock = File("state/operator/lock");
  const int fd = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::flock(fd, LOCK_EX), 0);
  std::vector<Process> copies;
  for (int i = 0; i < 2; ++i) {
    Arguments all = {KB_BUILD_DIR "/bin/keybroker", "--config", File("etc/keybroker.toml"),
                     "--json"};
    const auto command = Copy("main", "spare", {"--yes"});
    all.insert(all.end(), command.begin(), command.end());
    copies.push_back(Process::Start(all));
  }
  for (Process& each : copies) {
    EXPECT_TRUE(each.WaitForText("waiting for another keybroker command")) << each.output();
  }
  ::close(fd);
  int present = 0;
  for (Process& each : copies) {
    EXPECT_EQ(each.Wait(), 0) << each.output();
    present += each.output().find("\"present\": true") == std::string::npos ? 0 : 1;
    EXPECT_THAT(each.output(), HasSubstr("\"differences\": []"));
  }
  EXPECT_EQ(present, 1);
  EXPECT_EQ(Answer({"key", "list", "--token", "spare"})["keys"].size(), 1U);
  ExpectCopied("main", "spare", "ec");
  // The key left once: the second had it compared, and not sent.
  const std::string log = Log();
  EXPECT_EQ(log.find("\"key-copy-from\""), log.rfind("\"key-copy-from\""));
  EXPECT_EQ(Answer({"audit", "verify", "--log", "operator"})["good"], true);
}

class KeyCopyToFaulty : public KeyCopy {
 protected:
  void Make() override {
    KeyCopy::Make();
    std::string toml = Read("etc/tokens.d/spare.toml");
    toml.replace(toml.find(KB_SOFTHSM), std::string(KB_SOFTHSM).size(),
                 KB_BUILD_DIR "/lib/faulty_module.so");
    const size_t at = toml.find("SOFTHSM2_CONF");
    toml.insert(toml.rfind('\n', at) + 1,
                "KB_FAULTY_PLAN = \"" + File("token/plan").string() + "\"\n");
    Write("etc/tokens.d/spare.toml", toml);
    MakeKey("ec");
  }

  void Plan(const std::string& plan) const {
    Write("token/plan", plan, 0666);
    GiveToTokenUser("token/plan");
  }
};

TEST_F(KeyCopyToFaulty, SaysThatTheTokensHaveNoWrapInCommon) {
  Plan("C_UnwrapKey 0 100 112\n");  // CKR_MECHANISM_INVALID
  EXPECT_THAT(Fails(Copy("main", "spare", {"--yes"})),
              AllOf(HasSubstr("no wrap of private keys in common"), HasSubstr("aes256-wrap-pad"),
                    HasSubstr("CKR_MECHANISM_INVALID")));
}

TEST_F(KeyCopyToFaulty, SaysThatOaepIsMissing) {
  Plan("C_UnwrapKey 3 100 112\n");  // after the probe of the wrap
  EXPECT_THAT(Fails(Copy("main", "spare", {"--yes"})), HasSubstr("by RSA-OAEP"));
}

TEST_F(KeyCopyToFaulty, LeavesTheTargetAsItWasAndCanBeRunAgainAfterACrash) {
  // The calls: three of the probe; RSA-OAEP by SHA-256, refused by SoftHSM, and SHA-1; three of the
  // probe; content key; the key as an object of the session; and as one of the token.
  for (const int skip : {3, 4, 8, 9, 10}) {
    Plan("C_UnwrapKey " + std::to_string(skip) + " 1 crash\n");
    EXPECT_THAT(Fails(Copy("main", "spare", {"--yes"})), HasSubstr("ended by signal")) << skip;
    EXPECT_EQ(Read("token/plan"), "") << skip;
    EXPECT_THAT(Text({"key", "list", "--token", "spare"}), HasSubstr("no key yet")) << skip;
  }
  Text(Copy("main", "spare", {"--yes"}));
  ExpectCopied("main", "spare", "ec");
}

}  // namespace
}  // namespace keybroker::cli::test
