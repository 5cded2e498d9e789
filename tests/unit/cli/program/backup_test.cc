#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keybroker/base/kdf_floor.h"
#include "unit/cli/program/backup_host.h"

namespace keybroker::cli::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class BackupCommand : public BackupHost {};

TEST_F(BackupCommand, RestoresADeletedKeyThatSignsAndIsNotExportable) {
  for (const std::string type : {"rsa", "ec"}) {
    const std::string id = Id(kName, type);
    const std::string spki = Spki(kName, type);
    const std::string file = Export(type);
    Text({"key", "delete", kName, "--type", type, "--yes"});
    const Json restored = Answer(With({"backup", "restore", file}));
    EXPECT_EQ(restored["token"], "main");
    EXPECT_EQ(restored["present"], false);
    EXPECT_EQ(restored["key"]["id"], id);
    EXPECT_EQ(restored["key"]["exportable"], false);
    EXPECT_EQ(restored["key"]["current"], true);
    EXPECT_EQ(Spki(kName, type), spki);
    EXPECT_EQ(Id(kName, type), id);
    // It signs, its certificate is back, and it is not exportable for the token either.
    Text({"request", "create", kName, "--type", type, "-o", File("again.csr")});
    OpenSsl({"req", "-in", File("again.csr"), "-noout", "-verify"});
    EXPECT_EQ(Answer({"key", "show", kName, "--type", type})["keys"][0]["certificate"]["issuer"],
              "CN=Test CA");
    EXPECT_THAT(Fails(With({"backup", "export", kName, "--type", type, "-o", File("other.p12")})),
                HasSubstr("not exportable"));
  }
}

TEST_F(BackupCommand, WritesFilesThatOnlyTheirOwnerReadsAndNeverOverwritesOne) {
  const std::string file = Export("ec");
  struct stat info {};
  ASSERT_EQ(::stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600U);
  EXPECT_THAT(Fails(With({"backup", "export", kName, "--type", "ec", "-o", file})),
              HasSubstr("no backup is ever overwritten"));
  EXPECT_NE(Export("ec"), file);  // the next number
  EXPECT_EQ(Text(With({"backup", "export", "--all", "-o", File("safe")})).find("(rsa") ==
                std::string::npos,
            false);
  EXPECT_EQ(
      Text(With({"backup", "export", "--all", "--type", "ec", "-o", File("safe")})).find("(rsa"),
      std::string::npos);
}

TEST_F(BackupCommand, TellsTheEmergencyWayWhichWorks) {
  const std::string text =
      Text(With({"backup", "export", kName, "--type", "rsa", "-o", File("safe/k.p12")}));
  EXPECT_THAT(text, AllOf(HasSubstr("openssl pkcs12 -in " + File("safe/k.p12").string()),
                          HasSubstr("SHA-256"), HasSubstr("aes256-wrap-pad")));
  OpenSsl({"pkcs12", "-in", File("safe/k.p12"), "-nodes", "-passin",
           "file:" + File("password").string(), "-out", File("plain.pem")});
  OpenSsl({"x509", "-in", File("plain.pem"), "-noout", "-checkhost", kName});
}

// As they are pasted: by a shell.
TEST_F(BackupCommand, PrintsCommandsThatAShellTakes) {
  const std::string folder = "it's a safe";
  std::filesystem::create_directory(File(folder));
  const std::string file = File(folder + "/k $1.p12");
  std::string way = Text(With({"backup", "export", kName, "--type", "ec", "-o", file}));
  way.erase(0, way.find("openssl pkcs12 -in"));
  way.erase(way.find(" -nodes"));
  way += " -nodes -passin 'file:" + File("password").string() + "'";
  const auto printed = keybroker::test::RunCommand({"/bin/sh", "-c", way});
  EXPECT_EQ(printed.status, 0) << way << printed.err;
  EXPECT_THAT(printed.out, HasSubstr("PRIVATE KEY"));
  std::string verify = Text({"backup", "inspect", file});
  verify.erase(0, verify.find("keybroker backup verify"));
  verify.erase(verify.find('\n'));
  const auto verified = keybroker::test::RunCommand(
      {"/bin/sh", "-c",
       KB_BUILD_DIR "/bin/" + verify + " --password-file " + File("password").string()});
  EXPECT_EQ(verified.status, 0) << verify << verified.err;
  EXPECT_THAT(Text({"key", "generate", "*.example.org"}),
              HasSubstr("keybroker request create '*.example.org'"));
  EXPECT_THAT(Run({"backup", "check"}).out, HasSubstr("--external '*.example.org' --type"));
}

TEST_F(BackupCommand, LeavesOutACertificateOfAnotherKeyAndSaysWhichItIs) {
  KeyWithForeignCertificate("odd.example.test");
  const auto made = Run(With({"backup", "export", "odd.example.test", "-o", File("safe")}));
  EXPECT_EQ(made.status, 0) << made.err;
  EXPECT_THAT(made.err, AllOf(HasSubstr("its backup has no certificate"), HasSubstr("CN=Test CA"),
                              HasSubstr("the token \"stack\" has under its CKA_ID " +
                                        Id("odd.example.test", "ec")),
                              HasSubstr("`keybroker certificate install odd.example.test FILE"),
                              Not(HasSubstr("disk"))));
  const Json drilled = Answer(With({"drill", File("safe")}));
  EXPECT_EQ(drilled["proved"], true);
  EXPECT_EQ(drilled["count"], 1);
  EXPECT_EQ(drilled["results"][0]["certificates"].size(), 0U);
  // What it says to do does it.
  Text({"request", "create", "odd.example.test", "-o", File("odd.csr")});
  Sign("odd.csr", "DNS:odd.example.test", "odd.crt");
  Text({"certificate", "install", "odd.example.test", File("odd.crt"), "--ca", File("ca.pem")});
  const auto again = Answer(With({"backup", "export", "odd.example.test", "-o", File("safe")}));
  EXPECT_NE(again["backups"][0]["certificates"].size(), 0U);
}

TEST_F(BackupCommand, RefusesAWeakPasswordAndAPasswordFileThatOthersRead) {
  Write("short", "fourteen chars\n", 0600);
  EXPECT_THAT(Fails(With({"backup", "export", kName, "-o", File("safe")}, "short")),
              AllOf(HasSubstr("at least 15"), HasSubstr("--generate")));
  Write("same", std::string(40, 'a') + "\n", 0600);
  EXPECT_THAT(Fails(With({"backup", "export", kName, "-o", File("safe")}, "same")),
              HasSubstr("too few different characters"));
  Write("open", std::string(kBackupPassword) + "\n", 0644);
  EXPECT_THAT(Fails(With({"backup", "export", kName, "-o", File("safe")}, "open")),
              HasSubstr("0600"));
  EXPECT_TRUE(std::filesystem::is_empty(File("safe")));
}

TEST_F(BackupCommand, GeneratesAPassphraseThatIsShownOnTheTerminalOnly) {
  EXPECT_THAT(Fails({"backup", "export", kName, "--type", "ec", "--generate", "-o", File("safe")}),
              HasSubstr("terminal"));
  const std::string program = KB_BUILD_DIR "/bin/keybroker";
  auto process = keybroker::test::Process::StartOnTerminal(
      {program, "--config", File("etc/keybroker.toml"), "backup", "export", kName, "--type", "ec",
       "--generate", "-o", File("safe/k.p12")});
  EXPECT_EQ(process.Wait(), 0) << process.output();
  const std::string& screen = process.output();
  const size_t at = screen.find("Into the safe:");
  ASSERT_NE(at, std::string::npos) << screen;
  const size_t begin = screen.find_first_of("abcdefghijkmnpqrstuvwxyz23456789", at + 14);
  Write("password", screen.substr(begin, 34) + "\n", 0600);
  Text(With({"backup", "verify", File("safe/k.p12")}));
}

TEST_F(BackupCommand, InspectsWithoutAPasswordAndSaysThatNothingIsVerified) {
  const std::string file = Export("rsa");
  const std::string text = Text({"backup", "inspect", file});
  EXPECT_THAT(text, AllOf(HasSubstr("NOT VERIFIED"), HasSubstr(kName),
                          HasSubstr(std::to_string(kKdfFloor)), HasSubstr("CN=mail.example.test")));
  EXPECT_EQ(Answer({"backup", "inspect", file})["backup"]["verified"], false);
}

// DerOfTheFloor is the INTEGER that the files are written with.
std::string DerOfTheFloor() {
  std::string number;
  for (uint32_t rest = kKdfFloor; rest != 0; rest >>= 8) {
    number.insert(0, 1, static_cast<char>(rest & 0xff));
  }
  return std::string("\x02") + static_cast<char>(number.size()) + number;
}

TEST_F(BackupCommand, SaysWhatTheRecoveryPageQuotes) {
  const std::string file = Export("ec");
  const std::string bytes = keybroker::test::ReadAll(file);
  const auto said = [&](const std::string& content, const std::string& password = "password") {
    Write("it.p12", content);
    return Run(With({"backup", "verify", File("it.p12")}, password)).err;
  };
  std::string newer = bytes;
  newer.replace(newer.find("\"version\":1"), 11, "\"version\":2");
  OpenSsl({"pkcs12", "-export", "-inkey", File("ca.key"), "-in", File("ca.pem"), "-passout",
           "pass:x", "-out", File("other.p12")});
  const std::vector<std::string> all = {said(bytes, "wrong"), said(bytes.substr(0, 500)),
                                        said(bytes + "x"), said(newer), said(Read("other.p12"))};
  for (const std::string& each : all) EXPECT_TRUE(IsInRecoveryTable(each)) << each;
  std::filesystem::remove(File("state/operator/backups/" + Id(kName, "ec") + ".json"));
  EXPECT_TRUE(IsInRecoveryTable(said(bytes, "wrong")));
  EXPECT_FALSE(IsInRecoveryTable("keybroker: something else"));
}

TEST_F(BackupCommand, ExitsDifferentlyForWhatIsWrongWithAFile) {
  const std::string file = Export("ec");
  const std::string bytes = keybroker::test::ReadAll(file);
  const auto status = [&](const std::string& content, const std::string& password = "password") {
    Write("it.p12", content);
    const auto result = Run(With({"--json", "backup", "verify", File("it.p12")}, password));
    const Json json = Json::parse(result.out, nullptr, false);
    const std::string code = json.contains("error") ? json["error"]["code"] : Json("none");
    return std::to_string(result.status) + " " + code;
  };
  std::string newer = bytes;
  newer.replace(newer.find("\"version\":1"), 11, "\"version\":2");
  std::string negative = bytes;
  const std::string iterations = DerOfTheFloor();
  negative[negative.find(iterations) + 2] ^= static_cast<char>(0x80);
  std::string changed = bytes;
  changed.replace(changed.find("\"current\":true"), 14, "\"current\":null");
  EXPECT_EQ(status("hello"), "10 not-a-backup");
  EXPECT_THAT(Run(With({"backup", "verify", File("it.p12")})).err,
              HasSubstr("`keybroker key import " + File("it.p12").string() + "`"));
  EXPECT_EQ(status(bytes.substr(0, bytes.size() / 2)), "11 truncated");
  EXPECT_EQ(status(changed), "12 damaged");
  EXPECT_EQ(status(negative), "12 damaged");
  EXPECT_EQ(status(newer), "13 newer-version");
  EXPECT_EQ(status(bytes, "wrong"), "15 wrong-password");
  const std::string vectors = KB_SOURCE_DIR "/tests/vectors/backup/";
  Write("vectors", keybroker::test::ReadAll(vectors + "password"), 0600);
  EXPECT_EQ(status(keybroker::test::ReadAll(vectors + "iterations-2-31.p12"), "vectors"),
            "14 over-cap");
  // PBKDF2's identifier becomes scrypt's (RFC 7914, section 7).
  std::string scrypt = bytes;
  const std::string pbkdf2 = "\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c";
  scrypt.replace(scrypt.find(pbkdf2), pbkdf2.size(), "\x2b\x06\x01\x04\x01\xda\x47\x04\x0b");
  EXPECT_EQ(status(scrypt), "14 over-cap");
  EXPECT_EQ(status(bytes), "0 none");
}

TEST_F(BackupCommand, KnowsAWrongPasswordWhereTheFileIsTheOneOnRecord) {
  const std::string file = Export("ec");
  const auto same = Run(With({"backup", "verify", file}, "wrong"));
  EXPECT_EQ(same.status, 15);
  EXPECT_THAT(same.err, HasSubstr("byte for byte"));
  std::string bytes = keybroker::test::ReadAll(file);
  bytes.replace(bytes.find("\"stack\""), 7, "\"slack\"");
  Write("changed.p12", bytes);
  const auto changed = Run(With({"backup", "verify", File("changed.p12")}));
  EXPECT_EQ(changed.status, 15);
  EXPECT_THAT(changed.err, HasSubstr("cannot tell"));
}

TEST_F(BackupCommand, KnowsEveryFileThatIsOnRecordNotOnlyTheNewest) {
  const std::string first = Export("ec");
  Export("ec");
  EXPECT_THAT(Run(With({"backup", "verify", first}, "wrong")).err, HasSubstr("byte for byte"));
}

TEST_F(BackupCommand, NumbersByWhatATokenProvedAndNeverByWhatOnlyVerifies) {
  const std::string file = Export("ec");
  const std::string record = "state/operator/backups/" + Id(kName, "ec") + ".json";
  Json json = Json::parse(Read(record));
  json["proved"] = 0;
  json["exported"] = 1;
  for (const Json& number : {Json(999999), Json(4611686018427387904), Json(9223372036854775807)}) {
    json["sequence"] = number;
    Write(record, json.dump());
    EXPECT_THAT(Export("ec"), HasSubstr(".2.p12"));
    std::filesystem::remove(File("safe") / std::filesystem::path(file).filename());
    for (const auto& entry : std::filesystem::directory_iterator(File("safe"))) {
      std::filesystem::remove(entry.path());
    }
  }
  // What this host has just made is on record, whatever number a proved forgery has.
  json["proved"] = 1000;
  json["sequence"] = 1000000;
  Write(record, json.dump());
  const std::string next = Export("ec");
  EXPECT_EQ(Json::parse(Read(record))["file"], next);
}

TEST_F(BackupCommand, ThatFailsIsInTheOperatorsAuditChainToo) {
  const std::string file = Export("ec");
  EXPECT_EQ(Run(With({"backup", "verify", file}, "wrong")).status, 15);
  EXPECT_EQ(Run(With({"backup", "restore", file}, "wrong")).status, 15);
  EXPECT_EQ(Run(With({"drill", file}, "wrong")).status, 15);
  Fails(With({"drill", file, "--module", "/nowhere"}));
  Write("cut.p12", keybroker::test::ReadAll(file).substr(0, 100));
  EXPECT_EQ(Run(With({"backup", "verify", File("cut.p12")})).status, 11);
  const Json shown = Answer({"audit", "show", "--log", "operator", "--last", "5"});
  const std::vector<std::string> actions = {"backup-verify", "backup-restore", "drill", "drill",
                                            "backup-verify"};
  for (size_t i = 0; i < actions.size(); ++i) {
    EXPECT_EQ(shown["records"][i]["action"], actions[i]);
    EXPECT_NE(shown["records"][i]["result"], "ok");
  }
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(shown["records"][i]["result"], "denied");
    EXPECT_THAT(shown["records"][i]["detail"].get<std::string>(),
                HasSubstr("wrong-password-or-damaged"));
  }
}

TEST_F(BackupCommand, VerifiesForAUserWithoutRights) {
  if (::getuid() != 0) GTEST_SKIP() << "*** needs root, to become another user";
  const std::string file = Export("ec");
  for (const char* each : {"safe", "password"}) {
    ASSERT_EQ(::chown(File(each).c_str(), 65534, 65534), 0);
  }
  ASSERT_EQ(::chown(file.c_str(), 65534, 65534), 0);
  const std::string program = KB_BUILD_DIR "/bin/keybroker";
  const auto result = keybroker::test::RunCommand(
      With({"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program, "--config",
            File("etc/keybroker.toml"), "backup", "verify", file}));
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("no record of it was kept"));
}

TEST_F(BackupCommand, TakesANameTwiceAsOnceAndNeverWritesToStandardOutput) {
  const Json made =
      Answer(With({"backup", "export", kName, kName, "--type", "ec", "-o", File("safe")}));
  EXPECT_EQ(made["backups"].size(), 1U);
  EXPECT_THAT(Misused(With({"backup", "export", kName, "-o", "-"})), HasSubstr("read back"));
}

TEST_F(BackupCommand, WarnsOfADirectoryThatOthersWriteTo) {
  ASSERT_EQ(::chmod(File("safe").c_str(), 0777), 0);
  const auto result = Run(With({"backup", "export", kName, "--type", "ec", "-o", File("safe")}));
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("is writable for others"));
  const auto written = [&] {
    return Run(With({"backup", "export", kName, "--type", "ec", "-o", File("safe")})).err;
  };
  ASSERT_EQ(::chmod(File("safe").c_str(), 01777), 0);  // as /tmp: nobody removes another's file
  EXPECT_THAT(written(), Not(HasSubstr("is writable for others")));
  if (::geteuid() != 0) return;
  ASSERT_EQ(::chmod(File("safe").c_str(), 0755), 0);
  ASSERT_EQ(::chown(File("safe").c_str(), 65534, 65534), 0);
  EXPECT_THAT(written(), HasSubstr("belongs to user 65534"));
}

TEST_F(BackupCommand, ChangesNothingWhereTheKeyIsThereOrTheFileIsNotRight) {
  const std::string file = Export("rsa");
  const Json before = Answer({"key", "list"});
  const Json there = Answer(With({"backup", "restore", file}));
  EXPECT_EQ(there["present"], true);
  EXPECT_EQ(there["differences"], Json::array());
  EXPECT_EQ(there["key"]["current"], true);
  EXPECT_EQ(Run(With({"backup", "restore", file}, "wrong")).status, 15);
  std::string bytes = keybroker::test::ReadAll(file);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  Write("changed.p12", bytes);
  EXPECT_THAT(Run(With({"backup", "restore", File("changed.p12")})).status,
              ::testing::AnyOf(12, 15));
  EXPECT_EQ(Answer({"key", "list"}), before);
}

TEST_F(BackupCommand, OfAnotherKeyWithTheSameIdOpensNoWayToDelete) {
  const std::string file = Export("ec");
  Text(TokenArguments("spare", "spare"));
  Text({"token", "init", "spare", "--so-pin-file", File("so-pin")});
  const auto made = keybroker::test::RunCommand(
      {"pkcs11-tool", "--module", KB_SOFTHSM, "--login", "--pin", kPin, "--token-label", "spare",
       "--keypairgen", "--key-type", "EC:prime256v1", "--label", kName, "--id", Id(kName, "ec")},
      {{"SOFTHSM2_CONF", File("token/softhsm2.conf")}});
  ASSERT_EQ(made.status, 0) << made.err;
  GiveTokenFiles();
  EXPECT_THAT(Fails({"key", "delete", kName, "--type", "ec", "--token", "spare", "--yes"}),
              HasSubstr("is of another key, which has the same CKA_ID"));
  Text({"key", "delete", kName, "--type", "ec", "--token", "main", "--yes"});
}

TEST_F(BackupCommand, GrantsNothingThatTheHostDoesNot) {
  Text({"listener", "add", "https", "--user", "root"});
  Text({"listener", "bind", "https", kName});
  const std::string file = Export("ec");
  const std::string listener = Read("etc/listeners.d/https.toml");
  Text({"key", "delete", kName, "--type", "ec", "--yes"});
  Text({"key", "delete", kName, "--type", "rsa", "--yes", "--force"});
  EXPECT_THAT(Run({"doctor"}).out, HasSubstr("keybroker backup restore " + file));
  EXPECT_THAT(Run({"why", "https", kName, "CKM_ECDSA"}).out,
              HasSubstr("keybroker backup restore " + file));
  EXPECT_THAT(Fails({"listener", "check", "https", "--connect", "127.0.0.1:1"}),
              AllOf(HasSubstr("keybroker backup restore " + file), Not(HasSubstr("key generate"))));
  Json restored = Answer(With({"backup", "restore", file}));
  EXPECT_EQ(restored["bindings"][0]["in_force"], true);
  Text({"listener", "unbind", "https", kName});
  const std::string unbound = Read("etc/listeners.d/https.toml");
  Text({"key", "delete", kName, "--type", "ec", "--yes"});
  restored = Answer(With({"backup", "restore", file}));
  EXPECT_EQ(restored["bindings"][0]["listener"], "https");
  EXPECT_EQ(restored["bindings"][0]["in_force"], false);
  EXPECT_EQ(Read("etc/listeners.d/https.toml"), unbound);
  EXPECT_NE(unbound, listener);
}

TEST_F(BackupCommand, IsNotToBeShreddedAfterAnImport) {
  const std::string file = Export("ec");
  Text({"key", "delete", kName, "--type", "ec", "--yes"});
  EXPECT_THAT(Text(With({"key", "import", file})),
              AllOf(HasSubstr("is a backup that keybroker made: keep it"),
                    HasSubstr("keybroker backup restore " + file), Not(HasSubstr("shred"))));
}

TEST_F(BackupCommand, NeverTakesThePlaceOfANewerGeneration) {
  const std::string file = Export("ec");
  const std::string older = Id(kName, "ec");
  const Json made = Answer({"key", "generate", kName, "--new-generation", "--exportable"});
  const std::string newer = made["key"]["id"];
  Text({"key", "current", kName, "--type", "ec", "--id", newer, "--without-certificate"});
  Text({"key", "delete", kName, "--type", "ec", "--id", older, "--yes"});
  const auto restored = Run(With({"backup", "restore", file}));
  EXPECT_EQ(restored.status, 0) << restored.err;
  EXPECT_THAT(restored.err, HasSubstr("another generation (id " + newer));
  EXPECT_EQ(Id(kName, "ec"), newer);
}

TEST_F(BackupCommand, MakesAnExportableKeyOnlyWhereTheAdministratorAllowsIt) {
  const std::string file = Export("ec");
  Text({"key", "delete", kName, "--type", "ec", "--yes"});
  EXPECT_THAT(Fails(With({"backup", "restore", file, "--exportable"})),
              HasSubstr("restore_exportable"));
  std::string toml = Read("etc/keybroker.toml");
  toml.replace(toml.find("restore_exportable = false"), 26, "restore_exportable = true ");
  Write("etc/keybroker.toml", toml);
  EXPECT_EQ(Answer(With({"backup", "restore", file, "--exportable"}))["key"]["exportable"], true);
}

TEST_F(BackupCommand, IsInTheOperatorsAuditChain) {
  const std::string file = Export("ec");
  Text(With({"backup", "verify", file}));
  Text({"key", "delete", kName, "--type", "ec", "--yes"});
  Text(With({"backup", "restore", file}));
  Text(With({"drill", file, "--level", "1"}));
  const std::string log = Read("state/operator/audit.log");
  for (const char* action : {"backup-export", "backup-verify", "backup-restore", "drill"}) {
    EXPECT_THAT(log, HasSubstr(std::string("\"") + action + "\""));
  }
  EXPECT_THAT(log, Not(HasSubstr("battery staple")));
  EXPECT_EQ(Answer({"audit", "verify", "--log", "operator"})["good"], true);
}

}  // namespace
}  // namespace keybroker::cli::test
