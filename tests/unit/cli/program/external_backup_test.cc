// A backup by the vendor's own means: recorded, proved on a standby token, and what that opens.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "keybroker/base/secret.h"
#include "keybroker/token/module.h"
#include "keybroker/token/pin_guard.h"
#include "keybroker/token/token.h"
#include "unit/cli/program/host.h"

namespace keybroker::cli::test {
namespace {

using keybroker::test::Arguments;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kNote[] = "clone on the spare, safe B";

// The key is on "main", exportable; the vendor's means are played by an import of the same file.
class ExternalBackupHost : public Host {
 protected:
  void Make() override {
    Host::Make();
    InitToken();
    AddSecond("spare");
    std::string toml = Read("etc/keybroker.toml");
    toml.replace(toml.find("restore_exportable = false"), 26, "restore_exportable = true ");
    Write("etc/keybroker.toml", toml);
    MakeKey("rsa.pem", {"RSA", "-pkeyopt", "rsa_keygen_bits:2048"});
    MakeKey("ec.pem", {"EC", "-pkeyopt", "ec_paramgen_curve:P-256"});
    Text({"key", "import", File("rsa.pem"), "--name", kName, "--token", "main", "--exportable"});
  }

  void AddSecond(const std::string& name) const {
    Arguments token = TokenArguments(name, name);
    Write("token/" + name + "-pin", std::string(kPin) + "\n", 0600);
    GiveToTokenUser("token/" + name + "-pin");
    token.back() = File("token/" + name + "-pin");
    Text(token);
    Text({"token", "init", name, "--so-pin-file", File("so-pin")});
  }

  void MakeKey(const std::string& file, const Arguments& how) const {
    Arguments all = {"genpkey", "-out", File(file), "-algorithm"};
    all.insert(all.end(), how.begin(), how.end());
    OpenSsl(all);
  }

  void CertifyOnMain() const {
    MakeCa();
    Text({"request", "create", kName, "--token", "main", "-o", File("k.csr")});
    Sign("k.csr", std::string("DNS:") + kName, "k.crt");
    Text({"certificate", "install", kName, File("k.crt"), "--token", "main", "--ca",
          File("ca.pem")});
  }

  // Bring has the vendor's means bring a key onto a token.
  void Bring(const std::string& file, const std::string& token = "spare") const {
    Text({"key", "import", File(file), "--name", kName, "--token", token});
  }

  // MakeBare puts a private key alone onto the spare token, without public key object or
  // certificate, as a vendor may.
  void MakeBare(const std::string& file) const {
    OpenSsl({"pkcs8", "-topk8", "-nocrypt", "-in", File(file), "-outform", "DER", "-out",
             File("bare.der")});
    const auto made = keybroker::test::RunCommand(
        {"pkcs11-tool", "--module", KB_SOFTHSM, "--login", "--pin", kPin, "--token-label", "spare",
         "--write-object", File("bare.der"), "--type", "privkey", "--id", IdOnMain(), "--label",
         "restored"},
        {{"SOFTHSM2_CONF", File("token/softhsm2.conf")}});
    ASSERT_EQ(made.status, 0) << made.err;
    GiveTokenFiles();
  }

  // ForbidToSign takes CKA_SIGN from every private key of the spare token.
  Status ForbidToSign() const {
    token::TokenConfig config;
    config.module = KB_SOFTHSM;
    config.label = "spare";
    config.environment["SOFTHSM2_CONF"] = File("token/softhsm2.conf");
    KB_ASSIGN(auto module, token::Module::Load(config));
    KB_ASSIGN(auto token, token::Token::Find(std::move(module), config));
    KB_ASSIGN(auto guard, token::PinGuard::Open(File("guard"), token.info().serial, "main"));
    KB_ASSIGN(const auto pin, Secret::CopyFrom(std::string_view(kPin)));
    KB_TRY(token.Login(pin, guard));
    KB_ASSIGN(const auto session, token.OpenSession(true));
    KB_ASSIGN(const auto keys,
              session.Find(token::Attributes().AddUlong(CKA_CLASS, CKO_PRIVATE_KEY)));
    for (const auto key : keys) {
      KB_TRY(session.Set(key, token::Attributes().AddBool(CKA_SIGN, false)));
    }
    GiveTokenFiles();
    return {};
  }

  // UseEc has an EC key on main: unlike an RSA one its private key object does not tell the public
  // key.
  void UseEc() const {
    Text({"key", "delete", kName, "--token", "main", "--yes", "--force"});
    Text({"key", "import", File("ec.pem"), "--name", kName, "--token", "main", "--exportable"});
  }

  Arguments Recording(const Arguments& more = {}) const {
    Arguments all = {"backup", "record", "--external", kName, "--note", kNote};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  void Record(const Arguments& more = {"--token", "main", "--at", "spare"}) const {
    Text(Recording(more));
  }

  std::string IdOnMain() const {
    return Answer({"key", "show", kName, "--token", "main"})["keys"][0]["id"];
  }

  // Code is why a drill failed.
  std::string Code(const Arguments& more = {}) const {
    Arguments all = {"--json", "drill", "--external", kName};
    all.insert(all.end(), more.begin(), more.end());
    const auto result = Run(all);
    EXPECT_EQ(result.status, 1) << result.out << result.err;
    const Json json = Json::parse(result.out, nullptr, false);
    EXPECT_EQ(json["proved"], false) << result.out;
    EXPECT_TRUE(json["next_due"].is_null());
    EXPECT_FALSE(json["results"][0]["failure"].get<std::string>().empty());
    return json["results"][0]["code"];
  }

  Arguments Seal() const { return {"key", "seal", kName, "--token", "main", "--yes"}; }

  // StateOf is the word of `backup check` for the external backup.
  std::string StateOf() const {
    const Json json = Json::parse(Run({"--json", "backup", "check"}).out, nullptr, false);
    for (const auto& each : json["backups"]) {
      if (each["kind"] == "external") return each["state"];
    }
    return "no line";
  }

  std::string RecordFile() const { return "state/operator/backups/" + IdOnMain() + ".json"; }

  // Age puts the drill on record a long time back.
  void Age() const {
    Json record = Json::parse(Read(RecordFile()));
    record["external"]["drilled"] = 1000000000;
    Write(RecordFile(), record.dump(), 0600);
  }
};

TEST_F(ExternalBackupHost, OpensNoWayToSealUntilADrillOnTheStandbyToken) {
  const Json recorded = Answer(Recording({"--at", "spare"}));
  EXPECT_EQ(recorded["external"]["token"], "main");
  EXPECT_EQ(recorded["external"]["proved"], false);
  EXPECT_EQ(recorded["key"]["id"], IdOnMain());
  EXPECT_THAT(Fails(Seal()), AllOf(HasSubstr("no drill proved it"),
                                   HasSubstr("keybroker drill --external mail.example.test --type "
                                             "rsa --token spare"),
                                   HasSubstr("--force")));
  Bring("rsa.pem");
  const Json drill = Answer({"drill", "--external", kName, "--report", File("drill.html")});
  EXPECT_EQ(drill["level"], "external");
  EXPECT_EQ(drill["proved"], true);
  EXPECT_EQ(drill["good_count"], 1);
  EXPECT_TRUE(drill["next_due"].is_string());
  EXPECT_EQ(drill["results"][0]["spki_sha256"], recorded["external"]["spki_sha256"]);
  EXPECT_THAT(drill["token"].get<std::string>(), HasSubstr("standby token \"spare\""));
  EXPECT_THAT(Read("drill.html"),
              AllOf(HasSubstr("1 of 1 external backups are good"), HasSubstr(kNote),
                    HasSubstr(recorded["external"]["spki_sha256"].get<std::string>()),
                    Not(HasSubstr("MAC")), Not(HasSubstr("<script"))));
  EXPECT_EQ(Answer(Seal())["enforced"], true);
}

TEST_F(ExternalBackupHost, IsVerifiedWithTheCertificateWhereTheOriginHasOne) {
  CertifyOnMain();
  EXPECT_EQ(Answer(Recording({"--token", "main"}))["external"]["with_certificate"], true);
  Bring("rsa.pem");
  const auto drill = Run({"drill", "--external", kName, "--token", "spare"});
  EXPECT_EQ(drill.status, 0) << drill.err;
  EXPECT_THAT(drill.out,
              AllOf(HasSubstr("good"), HasSubstr("the certificate on record"),
                    HasSubstr("external: " + std::string(kNote)), HasSubstr("next due: 2")));
  EXPECT_THAT(drill.err, HasSubstr("the token \"spare\" has no certificate"));
}

TEST_F(ExternalBackupHost, FailsForEachReasonApart) {
  Record();
  EXPECT_EQ(Code(), "no-key");
  EXPECT_EQ(Code({"--token", "main"}), "same-token");
  Bring("ec.pem");
  EXPECT_EQ(Code(), "no-key");  // the name's other type is another matter
  MakeKey("wrong.pem", {"RSA", "-pkeyopt", "rsa_keygen_bits:2048"});
  Bring("wrong.pem");
  EXPECT_EQ(Code(), "other-key");
  EXPECT_THAT(Run({"drill", "--external", kName}).out,
              AllOf(HasSubstr("FAILED"), HasSubstr("another one"), HasSubstr("on record is"),
                    HasSubstr("next due: now")));
  Text(TokenArguments("gone", "no such label"));
  EXPECT_EQ(Code({"--token", "gone"}), "standby-absent");
  std::string config = Read("etc/tokens.d/spare.toml");
  config.replace(config.find(KB_SOFTHSM), std::string(KB_SOFTHSM).size(), "/nowhere/hsm.so");
  Write("etc/tokens.d/no-module.toml", config);
  EXPECT_EQ(Code({"--token", "no-module"}), "standby-absent");
  EXPECT_THAT(Fails({"drill", "--external", kName, "--token", "nowhere"}), HasSubstr("nowhere"));
  Write("token/spare-pin", "000000\n", 0600);
  GiveToTokenUser("token/spare-pin");
  EXPECT_EQ(Code(), "standby-refused");
  EXPECT_THAT(Fails(Seal()), HasSubstr("failed"));
  const std::string log = Read("state/operator/audit.log");
  for (const char* code : {"no-key", "same-token", "other-key", "standby-absent"}) {
    EXPECT_THAT(log, HasSubstr(code));
  }
}

TEST_F(ExternalBackupHost, IsNoneOnTheSameTokenUnderAnotherName) {
  Arguments alias = TokenArguments("alias", "stack");
  alias.insert(alias.end(), {"--env", "UNUSED=1"});
  Text(alias);
  Record({"--token", "main", "--at", "alias"});
  EXPECT_EQ(Code(), "same-token");
  EXPECT_THAT(Fails(Seal()), HasSubstr("no drill proved it"));
}

TEST_F(ExternalBackupHost, IsFoundWithoutItsPublicKeyByWhatItSigns) {
  UseEc();
  Record();
  MakeBare("ec.pem");
  const auto drill = Run({"drill", "--external", kName});
  EXPECT_EQ(drill.status, 0) << drill.out << drill.err;
  EXPECT_THAT(drill.err, AllOf(HasSubstr("no public key object"), HasSubstr("no certificate")));
}

TEST_F(ExternalBackupHost, IsNotProvedByABareKeyThatIsAnother) {
  UseEc();
  Record();
  MakeKey("wrong.pem", {"EC", "-pkeyopt", "ec_paramgen_curve:P-256"});
  MakeBare("wrong.pem");
  EXPECT_EQ(Code(), "other-key");
}

TEST_F(ExternalBackupHost, IsNotProvedByAKeyThatDoesNotSign) {
  Record();
  Bring("rsa.pem");
  const Status forbidden = ForbidToSign();
  ASSERT_TRUE(forbidden) << forbidden.error().detail;
  EXPECT_EQ(Code(), "does-not-sign");
}

TEST_F(ExternalBackupHost, ShowsInStatusDoctorAndCheck) {
  Record();
  EXPECT_THAT(Run({"doctor"}).out, HasSubstr("never proved by a signature on a standby token"));
  EXPECT_EQ(StateOf(), "unproved");
  EXPECT_EQ(Run({"backup", "check"}).status, 1);
  Bring("rsa.pem");
  Text({"drill", "--external", kName});
  EXPECT_EQ(StateOf(), "good");
  EXPECT_THAT(Text({"backup", "check"}),
              AllOf(HasSubstr("1 of 1 external backups are proved"),
                    HasSubstr("no file to look at"), Not(HasSubstr("backups are there"))));
  EXPECT_THAT(Run({"doctor"}).out, HasSubstr("the token \"spare\" signed as the key at 2"));
  const Json status = Json::parse(Run({"--json", "status"}).out, nullptr, false);
  EXPECT_EQ(status["backups"][0]["external"]["proved"], true);
  EXPECT_EQ(status["backups"][0]["external"]["drilled_on"], "spare");
  EXPECT_THAT(Run({"status"}).out, HasSubstr("external: " + std::string(kNote)));
  Age();
  EXPECT_EQ(StateOf(), "drill-due");
  EXPECT_THAT(Run({"doctor"}).out, HasSubstr("last proved "));
  EXPECT_THAT(Fails(Seal()), HasSubstr("last proved more than 90 days ago"));
}

TEST_F(ExternalBackupHost, CountsNoLongerOnceADrillFailed) {
  Record();
  Bring("rsa.pem");
  Text({"drill", "--external", kName});
  // The standby token loses the key behind keybroker's back.
  Text({"token", "init", "spare", "--so-pin-file", File("so-pin"), "--overwrite", "--yes"});
  EXPECT_EQ(Code(), "no-key");
  EXPECT_EQ(StateOf(), "drill-failed");
  EXPECT_THAT(Fails(Seal()), HasSubstr("the last drill of its external backup failed"));
  EXPECT_THAT(Run({"status"}).out, HasSubstr("failed since"));
  Bring("rsa.pem");
  Text({"drill", "--external", kName});
  Text(Seal());
}

TEST_F(ExternalBackupHost, CountsNoLongerOnceATokenIsInitialisedAnew) {
  Bring("rsa.pem");
  Text({"backup", "record", "--external", kName, "--token", "main", "--at", "spare", "--note",
        "clone"});
  Text({"drill", "--external", kName});
  EXPECT_THAT(
      Run({"token", "init", "spare", "--overwrite", "--yes", "--so-pin-file", File("so-pin")}).err,
      HasSubstr("counts no longer"));
  EXPECT_THAT(Fails({"key", "delete", kName, "--token", "main", "--yes"}),
              HasSubstr("no drill proved it"));
}

TEST_F(ExternalBackupHost, LetsOneOfTheTwoTokensLoseTheKeyNeverBoth) {
  Record();
  Bring("rsa.pem");
  Text({"drill", "--external", kName});
  const auto remove = [](const std::string& token) {
    return Arguments{"key", "delete", kName, "--token", token, "--yes"};
  };
  EXPECT_THAT(Fails(remove("spare")), HasSubstr("proved on this very token"));
  Text(remove("main"));
  EXPECT_THAT(Fails(remove("spare")), HasSubstr("proved on this very token"));
  // And a standby token that has lost it all the same stands for no other.
  Text({"key", "import", File("rsa.pem"), "--name", kName, "--token", "main"});
  Arguments forced = remove("spare");
  forced.emplace_back("--force");
  Text(forced);
  EXPECT_THAT(Fails(remove("main")), HasSubstr("no drill proved it"));
}

TEST_F(ExternalBackupHost, IsRecordedWithoutALogin) {
  Write("token/pin", "000000\n", 0600);
  GiveToTokenUser("token/pin");
  Text(Recording({"--token", "main"}));
  Write("token/pin", std::string(kPin) + "\n", 0600);
  GiveToTokenUser("token/pin");
  EXPECT_EQ(Answer({"key", "list", "--token", "main"})["keys"].size(), 1U);  // no PIN was refused
}

TEST_F(ExternalBackupHost, IsRecordedAnewWithoutItsOldProof) {
  Record();
  Bring("rsa.pem");
  Text({"drill", "--external", kName});
  const auto again = Run(Recording({"--token", "main", "--at", "spare"}));
  EXPECT_EQ(again.status, 0);
  EXPECT_THAT(again.err, AllOf(HasSubstr("takes the place of"), HasSubstr("counts no longer")));
  EXPECT_EQ(StateOf(), "unproved");
}

TEST_F(ExternalBackupHost, TellsWhatIsWrongWithACommand) {
  EXPECT_THAT(Fails(Recording({"--token", "main", "--id", "00"})), HasSubstr("with the id 00"));
  EXPECT_THAT(Fails({"backup", "record", "--external", "nowhere.example.test", "--note", kNote,
                     "--token", "main"}),
              HasSubstr("there is no key nowhere.example.test"));
  EXPECT_THAT(Misused({"backup", "record", kName, "--note", kNote}), HasSubstr("say --external"));
  EXPECT_THAT(Misused({"backup", "record", "--external", kName}), HasSubstr("--note says"));
  for (const char* note : {"two\nlines", "\x1b[2J"}) {
    const std::string said = Misused({"backup", "record", "--external", kName, "--note", note});
    EXPECT_THAT(said, AllOf(HasSubstr("without control characters"), Not(HasSubstr(note))));
  }
  EXPECT_THAT(Misused(Recording({"--token", "main", "--at", "main"})), HasSubstr("standby token"));
  EXPECT_THAT(Misused(Recording({"--at", "main"})), HasSubstr("standby token"));
  EXPECT_THAT(Fails(Recording({"--token", "main", "--at", "nowhere"})), HasSubstr("nowhere"));
  EXPECT_THAT(Fails({"drill", "--external", kName, "--token", "spare"}),
              AllOf(HasSubstr("no external backup"), HasSubstr("backup record --external")));
  EXPECT_THAT(Misused({"drill"}), HasSubstr("--external"));
  EXPECT_THAT(Misused({"drill", File("x.p12"), "--type", "rsa"}), HasSubstr("for --external"));
  EXPECT_THAT(Misused({"drill", File("x.p12"), "--external", kName}), HasSubstr("of files, or"));
  EXPECT_THAT(Misused({"drill", "--external", kName, "--level", "2"}), HasSubstr("no level"));
  EXPECT_THAT(Misused({"--json", "drill", "--external", kName, "--report", "-"}),
              HasSubstr("standard output"));
  Text(Recording({"--token", "main"}));
  EXPECT_THAT(Misused({"drill", "--external", kName}), HasSubstr("say with --token"));
}

TEST_F(ExternalBackupHost, IsOfTheCurrentGenerationUnlessAnotherIsNamed) {
  Record();
  Bring("rsa.pem");
  const std::string old = IdOnMain();
  const std::string next = Answer({"key", "generate", kName, "--type", "rsa", "--new-generation",
                                   "--token", "main"})["key"]["id"];
  Text({"key", "current", kName, "--id", next, "--token", "main"});
  EXPECT_THAT(Fails({"drill", "--external", kName}),
              AllOf(HasSubstr("has no external backup on record"), HasSubstr(old)));
  Text({"drill", "--external", kName, "--id", old});
  // The proof of the one generation is none of the other.
  Text({"key", "current", kName, "--id", old, "--token", "main"});
  EXPECT_THAT(Fails({"key", "delete", kName, "--id", next, "--token", "main", "--yes"}),
              HasSubstr("no verified backup"));
  Text({"key", "current", kName, "--id", next, "--token", "main"});
  Record();
  EXPECT_EQ(Code(), "other-key");
}

}  // namespace
}  // namespace keybroker::cli::test
