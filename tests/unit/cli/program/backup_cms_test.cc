// CMS backups: for who has a recovery key, signed by the key that they are the backup of.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/cli/program/backup_host.h"

namespace keybroker::cli::test {
namespace {

using keybroker::test::Arguments;
using keybroker::test::ReadAll;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// CmsHost has a recovery key, as recovery.key, and its certificate configured.
class CmsHost : public BackupHost {
 protected:
  void Make() override {
    BackupHost::Make();
    RecoveryKey("recovery");
    Configure("recipients = []", "recipients = [\"../recovery.crt\"]");
  }

  void RecoveryKey(const std::string& name) const {
    OpenSsl({"req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "90", "-subj", "/CN=" + name,
             "-keyout", File(name + ".key"), "-out", File(name + ".crt")});
    std::filesystem::permissions(File(name + ".key"), std::filesystem::perms(0600));
  }

  void Configure(const std::string& from, const std::string& to) const {
    std::string toml = Read("etc/keybroker.toml");
    ASSERT_NE(toml.find(from), std::string::npos) << from;
    toml.replace(toml.find(from), from.size(), to);
    Write("etc/keybroker.toml", toml);
  }

  Arguments Recover(Arguments arguments, const std::string& key = "recovery.key") const {
    arguments.insert(arguments.end(), {"--recovery-key", File(key)});
    return arguments;
  }

  Arguments Exporting(const std::string& type) const {
    return {"backup", "export", kName, "--type", type, "--format", "cms", "-o", File("safe")};
  }

  std::string ExportCms(const std::string& type) const {
    const Json made = Answer(Exporting(type));
    EXPECT_EQ(made["content_key"], "token");
    EXPECT_EQ(made["backups"].size(), 1U) << made;
    return made["backups"].empty() ? "" : made["backups"][0]["file"].get<std::string>();
  }
};

TEST_F(CmsHost, RestoresADeletedKeyWithTheRecoveryKey) {
  for (const std::string type : {"rsa", "ec"}) {
    const std::string spki = Spki(kName, type);
    const std::string file = ExportCms(type);
    EXPECT_THAT(file, HasSubstr(".1.cms"));
    EXPECT_THAT(Text(Recover({"backup", "verify", file})),
                AllOf(HasSubstr("the recovery key opens it"), HasSubstr("CN=recovery")));
    Text(Recover({"drill", file}));
    Text({"key", "delete", kName, "--type", type, "--yes"});
    const Json restored = Answer(Recover({"backup", "restore", file}));
    EXPECT_EQ(restored["present"], false);
    EXPECT_EQ(restored["key"]["exportable"], false);
    EXPECT_EQ(Spki(kName, type), spki);
    Text({"request", "create", kName, "--type", type, "-o", File("again.csr")});
    OpenSsl({"req", "-in", File("again.csr"), "-noout", "-verify"});
  }
}

// The commands that are printed are run as they stand, but for the names in capitals.
TEST_F(CmsHost, TellsTheEmergencyWayWhichWorks) {
  for (const std::string type : {"rsa", "ec"}) {
    std::string way = Text(Exporting(type));
    way.erase(0, way.find("    openssl cms"));
    way.erase(way.find("next:"));
    for (size_t at = 0; (at = way.find("RECOVERY", at)) != std::string::npos;) {
      way.replace(at, 8, "recovery");
    }
    const auto run = keybroker::test::RunCommand(
        {"sh", "-ec",
         "cd " + dir_.path().string() + "\n" + way +
             "openssl pkey -inform DER -in key.der -pubout -outform DER -out spki"});
    ASSERT_EQ(run.status, 0) << way << run.err;
    const std::string der = Read("spki");
    std::string hex;
    for (const char c : der) {
      constexpr char kDigits[] = "0123456789abcdef";
      hex += kDigits[static_cast<unsigned char>(c) >> 4];
      hex += kDigits[static_cast<unsigned char>(c) & 15];
    }
    EXPECT_EQ(hex, Spki(kName, type));
  }
}

TEST_F(CmsHost, OpensNoWayToSealUntilADrill) {
  const std::string file = ExportCms("ec");
  EXPECT_THAT(
      Fails({"key", "seal", kName, "--type", "ec", "--yes"}),
      AllOf(HasSubstr("that a token made the key of"), HasSubstr("keybroker drill " + file)));
  Text(Recover({"drill", file}));
  Text({"key", "seal", kName, "--type", "ec", "--yes"});
}

TEST_F(CmsHost, TakesNoProvedBackupsPlaceUntilADrill) {
  const std::string proved = Export("ec");
  ExportCms("ec");
  const auto record = [&] {
    return Json::parse(Read("state/operator/backups/" + Id(kName, "ec") + ".json"));
  };
  EXPECT_EQ(record()["file"], proved);
  const std::string third = ExportCms("ec");
  EXPECT_THAT(third, HasSubstr(".3.cms"));
  Text(Recover({"drill", third}));
  EXPECT_EQ(record()["file"], third);
}

TEST_F(CmsHost, InspectsWithoutAnyKey) {
  const std::string file = ExportCms("rsa");
  EXPECT_THAT(Text({"backup", "inspect", file}),
              AllOf(HasSubstr("NOT VERIFIED"), HasSubstr("signed by the key"),
                    HasSubstr("CN=recovery, serial "), HasSubstr("RSA-OAEP with SHA-1")));
  const Json json = Answer({"backup", "inspect", file})["backup"];
  EXPECT_EQ(json["format"], "cms");
  EXPECT_EQ(json["recipients"].size(), 1U);
  EXPECT_FALSE(json.contains("kdf"));
}

TEST_F(CmsHost, ExitsDifferentlyForWhatIsWrong) {
  const std::string file = ExportCms("ec");
  const std::string bytes = ReadAll(file);
  const auto status = [&](const std::string& content, const std::string& key = "recovery.key") {
    Write("it.cms", content);
    const auto result = Run(Recover({"--json", "backup", "verify", File("it.cms")}, key));
    const Json json = Json::parse(result.out, nullptr, false);
    const std::string code = json.contains("error") ? json["error"]["code"] : Json("none");
    return std::to_string(result.status) + " " + code;
  };
  const auto edited = [&](const std::string& from, const std::string& to) {
    std::string other = bytes;
    EXPECT_NE(other.find(from), std::string::npos);
    return other.replace(other.find(from), from.size(), to);
  };
  RecoveryKey("other");
  EXPECT_EQ(status(bytes.substr(0, bytes.size() / 2)), "11 truncated");
  EXPECT_EQ(status(edited("\"current\":true", "\"current\":null")), "12 damaged");
  EXPECT_EQ(status(edited("\"version\":1", "\"version\":2")), "13 newer-version");
  EXPECT_EQ(status(bytes, "other.key"), "19 no-recipient-fits");
  EXPECT_EQ(status(edited("\"stack\"", "\"slack\"")), "20 signature-wrong");
  EXPECT_EQ(status(bytes), "0 none");
  const auto other = Run(Recover({"backup", "restore", file}, "other.key"));
  EXPECT_EQ(other.status, 19);
  EXPECT_TRUE(IsInRecoveryTable(other.err)) << other.err;
  EXPECT_EQ(Run(Recover({"drill", file}, "other.key")).status, 19);
  const Json shown = Answer({"audit", "show", "--log", "operator", "--last", "2"});
  for (size_t i = 0; i < 2; ++i) EXPECT_EQ(shown["records"][i]["result"], "denied");
}

TEST_F(CmsHost, IsPutBackByRestoreAndAKeyFileByImport) {
  const std::string file = ExportCms("ec");
  const auto import = Run({"key", "import", file, "--name", kName});
  EXPECT_EQ(import.status, 10);
  EXPECT_THAT(import.err, HasSubstr("`keybroker backup restore " + file + " --recovery-key KEY`"));
  OpenSsl({"pkcs12", "-export", "-inkey", File("ca.key"), "-in", File("ca.pem"), "-passout",
           "pass:x", "-out", File("other.p12")});
  const auto restore = Run({"--json", "backup", "restore", File("other.p12")});
  EXPECT_EQ(restore.status, 10);
  EXPECT_THAT(restore.out, HasSubstr("keybroker key import " + File("other.p12").string() + "`"));
}

TEST_F(CmsHost, AsksForWhatTheFormatWants) {
  const std::string cms = ExportCms("ec");
  const std::string pkcs12 = Export("ec");
  EXPECT_THAT(Misused({"backup", "verify", cms}), HasSubstr("--recovery-key"));
  EXPECT_THAT(Misused(With({"backup", "verify", cms})), HasSubstr("--recovery-key"));
  EXPECT_THAT(Misused(Recover({"backup", "verify", pkcs12})),
              HasSubstr("no recovery key is needed"));
  EXPECT_THAT(Misused(With(Recover({"backup", "verify", cms}))), HasSubstr("has no password"));
  EXPECT_THAT(Misused(With(Exporting("ec"))), HasSubstr("has no password"));
}

TEST_F(CmsHost, TakesARecoveryKeyWithAPassphraseAndNoneThatOthersRead) {
  const std::string file = ExportCms("ec");
  OpenSsl({"pkcs8", "-topk8", "-in", File("recovery.key"), "-out", File("locked.key"), "-passout",
           "pass:over the hills"});
  std::filesystem::permissions(File("locked.key"), std::filesystem::perms(0600));
  Write("right", "over the hills\n", 0600);
  Write("false", "far away\n", 0600);
  const auto with = [&](const std::string& passphrase) {
    Arguments all = Recover({"backup", "verify", file}, "locked.key");
    all.insert(all.end(), {"--recovery-password-file", File(passphrase)});
    return all;
  };
  Text(with("right"));
  EXPECT_THAT(Fails(with("false")), HasSubstr("does not open: the password is wrong"));
  EXPECT_THAT(Fails(Recover({"backup", "verify", file}, "locked.key")),
              HasSubstr("--recovery-password-file"));
  std::filesystem::permissions(File("recovery.key"), std::filesystem::perms(0644));
  EXPECT_THAT(Fails(Recover({"backup", "verify", file})), HasSubstr("others may read"));
  EXPECT_THAT(Fails(Recover({"backup", "verify", file}, "ca.key")), HasSubstr("no RSA key"));
}

TEST_F(CmsHost, DrillsAFolderOfBothFormats) {
  Export("rsa");
  ExportCms("ec");
  const Json drill = Answer(With(Recover({"drill", File("safe")})));
  EXPECT_EQ(drill["good_count"], 2);
  EXPECT_EQ(drill["proved"], true);
  const Json first = Answer(With(Recover({"drill", File("safe"), "--level", "1"})));
  EXPECT_EQ(first["good_count"], 2);
}

TEST_F(CmsHost, IsLeftOutOfADrillOfAFolderWithoutTheRecoveryKey) {
  Export("rsa");
  const std::string cms = ExportCms("ec");
  const auto result = Run(With({"drill", File("safe")}));
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.out, AllOf(HasSubstr("not drilled"), HasSubstr("1 of 2 backups are good"),
                                HasSubstr(cms + ": it is a CMS backup, and no --recovery-key was "
                                                "given")));
  const Json drill = Json::parse(Run(With({"--json", "drill", File("safe")})).out);
  EXPECT_EQ(drill["proved"], false);
  EXPECT_EQ(drill["results"][0]["held"], false);
  EXPECT_EQ(drill["results"][1]["held"], true);
  EXPECT_EQ(drill["results"][1]["good"], true);
  const Json check = Json::parse(Run({"--json", "backup", "check"}).out);
  ASSERT_GE(check["backups"].size(), 2U);
  for (const Json& each : check["backups"]) {
    EXPECT_EQ(each["state"], each["file"] == cms ? "drill-due" : "good");
  }
  EXPECT_THAT(Misused({"drill", cms}), HasSubstr("--recovery-key"));
}

TEST_F(CmsHost, IsMadeAsTheAdministratorSaysOnly) {
  const auto refused = [&](const std::string& from, const std::string& to) {
    const std::string before = Read("etc/keybroker.toml");
    Configure(from, to);
    std::string error = Fails(Exporting("ec"));
    Write("etc/keybroker.toml", before);
    return error;
  };
  const std::string recipients = "recipients = [\"../recovery.crt\"]";
  EXPECT_THAT(refused(recipients, "recipients = []"),
              HasSubstr("recipients in [backup] of " + File("etc/keybroker.toml").string()));
  EXPECT_THAT(refused(recipients, "recipients = [\"../ca.pem\"]"),
              AllOf(HasSubstr("is not RSA"), HasSubstr("recipients in [backup]")));
  EXPECT_THAT(refused(recipients, "recipients = [\"../absent.crt\"]"),
              AllOf(HasSubstr("absent.crt"), HasSubstr("recipients in [backup]")));
  EXPECT_THAT(refused("formats = [\"pkcs12\", \"cms\"]", "formats = [\"pkcs12\"]"),
              HasSubstr("formats in [backup] of " + File("etc/keybroker.toml").string()));
  EXPECT_TRUE(std::filesystem::is_empty(File("safe")));
  EXPECT_THAT(Run({"doctor"}).out, HasSubstr("CN=recovery, valid until"));
  std::filesystem::permissions(File("recovery.crt"), std::filesystem::perms(0666));
  EXPECT_THAT(Fails(Exporting("ec")), HasSubstr("recipients in [backup]"));
  EXPECT_THAT(Run({"doctor"}).out, HasSubstr("recovery certificates"));
  std::filesystem::permissions(File("recovery.crt"), std::filesystem::perms(0644));

  Configure("formats = [\"pkcs12\", \"cms\"]", "formats = [\"cms\"]");
  const Json made = Answer({"backup", "export", kName, "--type", "ec", "-o", File("safe")});
  EXPECT_EQ(made["backups"][0]["format"], "cms");
  EXPECT_THAT(Fails(With({"backup", "export", kName, "--type", "ec", "--format", "pkcs12", "-o",
                          File("other.p12")})),
              HasSubstr("formats in [backup]"));
  EXPECT_THAT(Misused({"backup", "export", kName, "--format", "jks", "-o", File("safe")}),
              HasSubstr("pkcs12 or cms"));
}

TEST_F(CmsHost, OfAKeyWithoutCertificateIsRefused) {
  Text({"key", "generate", "fresh.example.test", "--exportable"});
  const auto result =
      Run({"backup", "export", "fresh.example.test", "--format", "cms", "-o", File("safe")});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, AllOf(HasSubstr("has no certificate yet"), HasSubstr("--format pkcs12")));
}

TEST_F(CmsHost, OfAKeyWithAnothersCertificateIsRefusedAndLeavesNoFile) {
  KeyWithForeignCertificate("odd.example.test");
  EXPECT_THAT(
      Fails({"backup", "export", "odd.example.test", "--format", "cms", "-o", File("safe")}),
      AllOf(HasSubstr("CN=Test CA"), HasSubstr("is of another key"),
            HasSubstr("keybroker certificate install odd.example.test")));
  EXPECT_TRUE(std::filesystem::is_empty(File("safe")));
}

TEST_F(CmsHost, SaysWhereTheTokenDidNotMakeTheContentKey) {
  std::string token = Read("etc/tokens.d/main.toml");
  token.replace(token.find(KB_SOFTHSM), sizeof KB_SOFTHSM - 1,
                KB_BUILD_DIR "/lib/faulty_module.so");
  Write("etc/tokens.d/main.toml",
        token + "\"KB_FAULTY_PLAN\" = \"" + File("token/plan").string() + "\"\n");
  Write("token/plan", "C_GenerateKey 0 100 112\n", 0600);  // CKR_MECHANISM_INVALID
  GiveToTokenUser("token/plan");
  const auto result = Run(
      {"--json", "backup", "export", kName, "--type", "ec", "--format", "cms", "-o", File("safe")});
  ASSERT_EQ(result.status, 0) << result.err;
  const Json made = Json::parse(result.out, nullptr, false);
  EXPECT_EQ(made["content_key"], "host");
  EXPECT_THAT(result.out, AllOf(HasSubstr("made on this host"),
                                HasSubstr("C_GenerateKey: CKR_MECHANISM_INVALID")));
  Text(Recover({"drill", made["backups"][0]["file"].get<std::string>()}));
}

TEST_F(CmsHost, NamesItsRecipientsInTheAudit) {
  const std::string file = ExportCms("ec");
  const Json shown = Answer({"audit", "show", "--log", "operator", "--last", "1"});
  EXPECT_EQ(shown["records"][0]["action"], "backup-export");
  EXPECT_THAT(shown["records"][0]["detail"].get<std::string>(),
              HasSubstr("for CN=recovery, serial"));
  EXPECT_THAT(ReadAll(file), Not(HasSubstr("PRIVATE")));
}

}  // namespace
}  // namespace keybroker::cli::test
