// Keys for a token that lets them in and none out: made outside it, with their backup.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include "keybroker/base/process.h"
#include "support/sanitized.h"
#include "unit/cli/program/backup_host.h"

namespace keybroker::cli::test {
namespace {

using keybroker::test::Arguments;
using keybroker::test::Process;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// CKR_FUNCTION_NOT_SUPPORTED, for as often as a test may call it.
constexpr char kNoWrap[] = "C_WrapKey 0 1000000 84\n";
constexpr char kNoUnwrap[] = "C_UnwrapKey 0 1000000 84\n";

// AtBirth has a token behind the faulty module, which wraps nothing; no key yet.
class AtBirth : public SafeHost {
 protected:
  void Make() override {
    SafeHost::Make();
    std::string text = Read(kToken);
    text.replace(text.find(KB_SOFTHSM), sizeof KB_SOFTHSM - 1,
                 KB_BUILD_DIR "/lib/faulty_module.so");
    Write(kToken, text + "\"KB_FAULTY_PLAN\" = \"" + File("token/plan").string() + "\"\n");
    Plan(kNoWrap);
  }

  void Plan(const std::string& plan) const {
    Write("token/plan", plan, 0600);
    GiveToTokenUser("token/plan");
  }

  Arguments Born(const std::string& file, const Arguments& more = {}) const {
    Arguments all = {"key", "generate", kName, "--backup-at-birth", File(file)};
    all.insert(all.end(), more.begin(), more.end());
    return With(all);
  }

  // ExpectNothing: neither key nor file, and a sound record of that.
  void ExpectNothing() const {
    Plan(kNoWrap);
    EXPECT_EQ(Answer({"key", "list"})["keys"].size(), 0U);
    EXPECT_TRUE(std::filesystem::is_empty(File("safe")));
    EXPECT_EQ(Answer({"audit", "verify", "--log", "operator"})["good"], true);
    ExpectNoDrillFolderStays();
  }

  // Objects lists all that is on the token, by another program.
  std::string Objects() const {
    const auto listed =
        keybroker::test::RunCommand({"pkcs11-tool", "--module", KB_SOFTHSM, "--login", "--pin",
                                     kPin, "--token-label", "stack", "--list-objects"},
                                    {{"SOFTHSM2_CONF", File("token/softhsm2.conf")}});
    EXPECT_EQ(listed.status, 0) << listed.err;
    GiveTokenFiles();
    return listed.out;
  }

  std::string AuditLog() const { return Read("state/operator/audit.log"); }

  static constexpr char kToken[] = "etc/tokens.d/main.toml";
};

TEST_F(AtBirth, MakesAKeyOnTheTokenAndABackupThatOpenSslOpens) {
  for (const std::string type : {"rsa", "ec"}) {
    const std::string file = "safe/" + type + ".p12";
    const Json made = Answer(Born(file, {"--type", type}));
    EXPECT_EQ(made["key"]["exportable"], false);
    EXPECT_EQ(made["key"]["current"], true);
    EXPECT_EQ(made["backup"]["file"], File(file).string());
    EXPECT_EQ(made["backup"]["verified"], true);
    EXPECT_EQ(made["backup"]["id"], made["key"]["id"]);
    EXPECT_EQ(made["backup"]["current"], true);
    EXPECT_EQ(made["backup"]["token"]["label"], "stack");  // its own, not the scratch token
    // As the token has it: it signs, and nothing brings it out again.
    const std::string spki = Spki(kName, type);
    Text({"request", "create", kName, "--type", type, "-o", File("k.csr")});
    OpenSsl({"req", "-in", File("k.csr"), "-noout", "-verify"});
    EXPECT_THAT(Fails(With({"backup", "export", kName, "--type", type, "-o", File("other.p12")})),
                HasSubstr("not exportable"));
    // As OpenSSL has it: the same key.
    OpenSsl({"pkcs12", "-in", File(file), "-nodes", "-passin", "file:" + File("password").string(),
             "-out", File("plain.pem")});
    OpenSsl({"pkey", "-in", File("plain.pem"), "-pubout", "-out", File("file.pem")});
    OpenSsl({"req", "-in", File("k.csr"), "-noout", "-pubkey", "-out", File("token.pem")});
    EXPECT_EQ(Read("file.pem"), Read("token.pem"));
    EXPECT_EQ(made["key"]["spki"], spki);
  }
  EXPECT_EQ(Answer({"key", "list"})["keys"].size(), 2U);
  ExpectNoDrillFolderStays();
}

TEST_F(AtBirth, SaysAndRecordsWhereTheKeyWas) {
  const Json made = Answer(Born("safe/k.p12"));
  const Json& exposure = made["exposure"];
  EXPECT_EQ(exposure["software"], true);
  EXPECT_EQ(exposure["destroyed"], true);
  EXPECT_EQ(exposure["in_the_clear"], "process of the scratch token");
  EXPECT_THAT(exposure["token"].get<std::string>(), HasSubstr("scratch token in memory: SoftHSM"));
  EXPECT_GT(exposure["ms"], 0);
  const std::string log = AuditLog();
  for (const char* action : {"key-generate-scratch", "backup-export", "key-generate"}) {
    EXPECT_THAT(log, HasSubstr(std::string("\"") + action + "\""));
  }
  EXPECT_THAT(log, AllOf(HasSubstr("which is software, and was in the clear in its process alone"),
                         HasSubstr(made["backup"]["sha256"].get<std::string>()),
                         Not(HasSubstr("battery staple"))));
  EXPECT_EQ(Answer({"audit", "verify", "--log", "operator"})["good"], true);
  EXPECT_THAT(Text(Born("safe/rsa.p12", {"--type", "rsa"})),
              AllOf(HasSubstr("exposure: the key was made by a scratch token"),
                    HasSubstr("openssl pkcs12 -in " + File("safe/rsa.p12").string()),
                    HasSubstr("exportable  no"), HasSubstr("keybroker request create"),
                    HasSubstr("keybroker drill " + File("safe/rsa.p12").string())));
}

TEST_F(AtBirth, MakesABackupThatCountsAndRestoresOnThatToken) {
  const std::string id = Answer(Born("safe"))["key"]["id"];  // a directory, as export takes
  const std::string file = File("safe/" + std::string(kName) + ".ec." + id.substr(0, 8) + ".1.p12");
  struct stat info {};
  ASSERT_EQ(::stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600U);
  EXPECT_THAT(Run({"doctor"}).out, HasSubstr("keybroker drill " + file));
  EXPECT_EQ(Answer(With({"drill", file}))["proved"], true);
  Text({"key", "delete", kName, "--yes"});  // unforced: a token made the key of the backup
  EXPECT_EQ(Answer(With({"backup", "restore", file}))["key"]["id"], id);
  Text({"request", "create", kName, "-o", File("k.csr")});
}

TEST_F(AtBirth, LeavesAnOlderGenerationCurrent) {
  const std::string older = Answer(Born("safe/1.p12"))["key"]["id"];
  EXPECT_THAT(Fails(Born("safe/2.p12")), AllOf(HasSubstr("exists"), HasSubstr(older)));
  EXPECT_FALSE(std::filesystem::exists(File("safe/2.p12")));
  const Json made = Answer(Born("safe/2.p12", {"--new-generation"}));
  EXPECT_EQ(made["key"]["current"], false);
  EXPECT_EQ(made["backup"]["current"], false);
  EXPECT_EQ(Id(kName, "ec"), older);
}

TEST_F(AtBirth, RefusesBeforeAnythingIsMade) {
  Write("file.p12", "mine");
  EXPECT_THAT(Fails(Born("file.p12")), HasSubstr("no backup is ever overwritten"));
  EXPECT_EQ(Read("file.p12"), "mine");
  EXPECT_THAT(Fails(Born("nowhere/k.p12")), HasSubstr("there is no directory"));
  EXPECT_THAT(Fails(Born("safe/k.p12", {"--format", "cms"})),
              HasSubstr("signed by the key with its certificate"));
  EXPECT_THAT(Fails(Born("safe/k.p12", {"--encryption", "cbc"})),
              HasSubstr("does not unwrap keys by that --encryption"));
  Write("short", "fourteen chars\n", 0600);
  EXPECT_THAT(Fails(With({"key", "generate", kName, "--backup-at-birth", File("safe")}, "short")),
              HasSubstr("at least 15"));
  EXPECT_THAT(Fails(Born("safe/k.p12", {"--scratch-module", "/nowhere/module.so"})),
              HasSubstr("/nowhere/module.so"));
  EXPECT_THAT(Misused(Born("safe/k.p12", {"--exportable"})), HasSubstr("excludes --exportable"));
  EXPECT_THAT(Misused(With({"key", "generate", kName, "--backup-at-birth", "-"})),
              HasSubstr("which is read back"));
  EXPECT_THAT(Misused(With({"key", "generate", kName})), HasSubstr("are for --backup-at-birth"));
  ExpectNothing();
}

TEST_F(AtBirth, IsRefusedWhereOnlyCmsBackupsAreAllowed) {
  std::string toml = Read("etc/keybroker.toml");
  const std::string formats = "formats = [\"pkcs12\", \"cms\"]";
  ASSERT_NE(toml.find(formats), std::string::npos);
  toml.replace(toml.find(formats), formats.size(), "formats = [\"cms\"]");
  Write("etc/keybroker.toml", toml);
  EXPECT_THAT(Fails(Born("safe/k.p12")), HasSubstr("does not allow backups of the format pkcs12"));
  EXPECT_THAT(Fails(Born("safe/k.p12", {"--format", "cms"})),
              HasSubstr("signed by the key with its certificate"));
  ExpectNothing();
}

TEST_F(AtBirth, IsRefusedForATokenThatLetsNoneInAndSaysWhatRemains) {
  Plan(std::string(kNoWrap) + kNoUnwrap);
  EXPECT_THAT(
      Fails(Born("safe/k.p12")),
      AllOf(HasSubstr("neither wraps nor unwraps"), HasSubstr("No key was made"),
            HasSubstr("backup record --external"), HasSubstr("CKR_FUNCTION_NOT_SUPPORTED")));
  EXPECT_THAT(AuditLog(), Not(HasSubstr("key-generate")));
  ExpectNothing();
}

TEST_F(AtBirth, IsRefusedForATokenThatWrapsUnlessForced) {
  Plan("");
  EXPECT_THAT(Fails(Born("safe/k.p12")),
              AllOf(HasSubstr("wraps keys itself"), HasSubstr("key generate --exportable"),
                    HasSubstr("backup export")));
  ExpectNothing();
  Plan("");
  EXPECT_EQ(Answer(Born("safe/k.p12", {"--force"}))["key"]["exportable"], false);
}

TEST_F(AtBirth, IsWhatAnExportableKeyIsRefusedFor) {
  EXPECT_THAT(Fails({"key", "generate", kName, "--exportable"}),
              AllOf(HasSubstr("no backup could be made"), HasSubstr("--backup-at-birth FILE")));
  EXPECT_THAT(Text({"token", "probe"}), HasSubstr("lets keys in: key generate --backup-at-birth"));
  Plan(std::string(kNoWrap) + kNoUnwrap);
  EXPECT_THAT(Fails({"key", "generate", kName, "--exportable"}),
              AllOf(HasSubstr("vendor's own means"), Not(HasSubstr("--backup-at-birth"))));
  ExpectNothing();
}

// The probes call C_UnwrapKey three times each, once before the password and once before the key.
TEST_F(AtBirth, LeavesNeitherKeyNorFileWhenTheImportFails) {
  for (const char* fault : {"C_UnwrapKey 6 1 5\n", "C_UnwrapKey 7 1 5\n", "C_Sign 0 1 5\n",
                            "C_Sign 1 1 5\n", "C_UnwrapKey 7 1 crash\n"}) {
    Plan(std::string(kNoWrap) + fault);
    EXPECT_THAT(Fails(Born("safe/k.p12")),
                AllOf(HasSubstr("The backup file was removed again"),
                      HasSubstr("The token was looked at: it has no object of that key")))
        << fault;
    EXPECT_EQ(Objects(), "") << fault;
    EXPECT_THAT(AuditLog(), HasSubstr("\"backup-restore\"")) << fault;
    ExpectNothing();
  }
  Text(Born("safe/k.p12"));
  EXPECT_EQ(Answer({"key", "list"})["keys"].size(), 1U);
}

TEST_F(AtBirth, KeepsTheFileOfAKeyThatMayBeOnTheToken) {
  Plan(std::string(kNoWrap) + "C_Sign 1 1 crash\n");  // the key is there by then
  EXPECT_THAT(Fails(Born("safe/k.p12")), AllOf(HasSubstr("was kept, because the token has its key"),
                                               HasSubstr("keybroker drill")));
  EXPECT_EQ(Answer({"key", "list"})["keys"].size(), 1U);
  EXPECT_EQ(Answer(With({"drill", File("safe/k.p12")}))["proved"], true);
  Text({"key", "delete", kName, "--yes"});  // it is on record
}

// The module crashes with half a key on the token, and again when that is to be looked at.
TEST_F(AtBirth, ClaimsNothingOfATokenThatItCouldNotLookAt) {
  // The look is the third time that the command loads the module.
  Plan(std::string(kNoWrap) + "C_UnwrapKey 7 1 crash\nC_Initialize 2 1 crash\n");
  EXPECT_THAT(Fails(Born("safe/k.p12")),
              AllOf(HasSubstr("was kept, because whether the token has its key, or half of it, "
                              "cannot be seen"),
                    HasSubstr("keybroker doctor"), HasSubstr("keybroker token tidy main"),
                    HasSubstr("keybroker backup restore " + File("safe/k.p12").string()),
                    Not(HasSubstr("removed again"))));
  Plan(kNoWrap);
  EXPECT_THAT(Objects(), HasSubstr("Public Key Object"));  // so it is
  EXPECT_EQ(Answer(With({"backup", "restore", File("safe/k.p12")}))["present"], false);
  EXPECT_EQ(Answer({"key", "list"})["keys"].size(), 1U);
}

TEST_F(AtBirth, ThatWasKilledLeavesAFileThatRestores) {
  if (KB_SANITIZED) GTEST_SKIP() << "*** a process that is killed is not examined; release does";
  Plan(std::string(kNoWrap) + "C_UnwrapKey 6 1 hang\n");
  Arguments all = {KB_BUILD_DIR "/bin/keybroker", "--config", File("etc/keybroker.toml")};
  for (const std::string& argument : Born("safe/k.p12")) all.push_back(argument);
  Process process = Process::Start(all);
  // The plan is rewritten at each call, and has no such line once that has begun.
  for (std::string plan; plan.empty() || plan.find("hang") != std::string::npos;) {
    plan = Read("token/plan");
    if (const auto status = process.Wait(std::chrono::milliseconds(10))) {
      FAIL() << *status << process.output();
    }
  }
  process.Signal(SIGKILL);
  EXPECT_EQ(process.Wait(), 128 + SIGKILL);
  Plan(kNoWrap);
  EXPECT_EQ(Answer({"key", "list"})["keys"].size(), 0U);
  EXPECT_THAT(Fails(Born("safe/k.p12")), HasSubstr("exists"));
  EXPECT_EQ(Answer(With({"backup", "restore", File("safe/k.p12")}))["key"]["current"], true);
  EXPECT_EQ(Answer({"audit", "verify", "--log", "operator"})["good"], true);
}

}  // namespace
}  // namespace keybroker::cli::test
