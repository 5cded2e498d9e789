// `key import` on a real token, of files as OpenSSL and Java make them and a Key Manager once did.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "unit/backup/key_manager_file.h"
#include "unit/cli/program/host.h"

namespace keybroker::cli::test {
namespace {

using keybroker::test::Arguments;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kPassword[] = "Backup1!";

class ImportCommand : public Host {
 protected:
  void Make() override {
    Host::Make();
    InitToken();
    MakeCa();
    Write("password", std::string(kPassword) + "\n", 0600);
    Write("wrong", "something else\n", 0600);
  }

  // MakeKey makes k.pem (PKCS#8) and k.crt for kName. type is "rsa:BITS" or a curve.
  void MakeKey(const std::string& type) const {
    const bool rsa = type.substr(0, 4) == "rsa:";
    OpenSsl({"genpkey", "-algorithm", rsa ? "RSA" : "EC", "-pkeyopt",
             rsa ? "rsa_keygen_bits:" + type.substr(4) : "ec_paramgen_curve:" + type, "-out",
             File("k.pem")});
    OpenSsl({"req", "-new", "-key", File("k.pem"), "-subj", "/CN=x", "-out", File("k.csr")});
    Sign("k.csr", std::string("DNS:") + kName, "k.crt");
    OpenSsl({"pkey", "-in", File("k.pem"), "-pubout", "-outform", "DER", "-out", File("k.spki")});
  }

  std::string KeyManagerFile(bool sgc = false) const {
    OpenSsl({"pkcs8", "-topk8", "-nocrypt", "-in", File("k.pem"), "-outform", "DER", "-out",
             File("k.der")});
    OpenSsl({"x509", "-in", File("k.crt"), "-outform", "DER", "-out", File("k.crt.der")});
    return keybroker::backup::test::WriteKeyManagerFile(
        {Read("k.der"), kPassword, sgc, "leading data of a newer IIS", Read("k.crt.der"), ""});
  }

  Arguments Import(const std::string& file, Arguments more = {}) const {
    Arguments all = {"key", "import", File(file), "--password-file", File("password")};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  // Forget takes the key from the token again.
  void Forget(const std::string& type) const {
    Text({"key", "delete", kName, "--type", type, "--yes", "--force"});
    std::filesystem::remove(File("etc/current.toml"));
  }

  static std::string HexOf(const std::string& bytes) {
    std::string hex;
    for (const char c : bytes) {
      constexpr char kDigits[] = "0123456789abcdef";
      hex += kDigits[static_cast<unsigned char>(c) >> 4];
      hex += kDigits[c & 15];
    }
    return hex;
  }

  // ExpectSigns has the token sign with the imported key, and OpenSSL check it.
  void ExpectSigns(const std::string& type) const {
    Text({"request", "create", kName, "--type", type, "-o", File("again.csr")});
    OpenSsl({"req", "-in", File("again.csr"), "-noout", "-verify"});
    EXPECT_EQ(Answer({"key", "show", kName, "--type", type})["keys"][0]["spki"],
              HexOf(Read("k.spki")));
  }
};

TEST_F(ImportCommand, TakesEveryFormThatOpenSslWrites) {
  MakeKey("rsa:2048");
  const std::string k = File("k.pem");
  const std::string pass = "pass:" + std::string(kPassword);
  const std::map<std::string, Arguments> forms = {
      {"pkcs8.der", {"pkcs8", "-topk8", "-nocrypt", "-in", k, "-outform", "DER"}},
      {"scrypt.pem", {"pkcs8", "-topk8", "-in", k, "-scrypt", "-passout", pass}},
      {"pbes2.der", {"pkcs8", "-topk8", "-in", k, "-outform", "DER", "-passout", pass}},
      {"pbes1.pem",
       {"pkcs8", "-topk8", "-in", k, "-v1", "PBE-MD5-DES", "-provider", "legacy", "-provider",
        "default", "-passout", pass}},
      {"traditional.pem", {"rsa", "-in", k, "-traditional"}},
      {"traditional-3des.pem", {"rsa", "-in", k, "-traditional", "-des3", "-passout", pass}},
      {"traditional-des.pem",
       {"rsa", "-in", k, "-traditional", "-des", "-provider", "legacy", "-provider", "default",
        "-passout", pass}},
      {"new.p12",
       {"pkcs12", "-export", "-inkey", k, "-in", File("k.crt"), "-certfile", File("ca.pem"),
        "-passout", pass}},
      {"old.p12",
       {"pkcs12", "-export", "-legacy", "-inkey", k, "-in", File("k.crt"), "-passout", pass}},
      {"rc4.p12",
       {"pkcs12", "-export", "-legacy", "-keypbe", "PBE-SHA1-RC4-128", "-certpbe",
        "PBE-SHA1-RC2-40", "-inkey", k, "-in", File("k.crt"), "-passout", pass}},
      // As Windows exports: a CSP's name, "local machine keys", key usage, a generated name.
      {"windows-old.p12", {"pkcs12",    "-export",
                           "-legacy",   "-descert",
                           "-iter",     "2000",
                           "-keyex",    "-LMK",
                           "-CSP",      "Microsoft RSA SChannel Cryptographic Provider",
                           "-name",     "le-0f8fad5b-d9cb-469f-a165-70867728950e",
                           "-inkey",    k,
                           "-in",       File("k.crt"),
                           "-certfile", File("ca.pem"),
                           "-passout",  pass}},
      {"windows-new.p12", {"pkcs12",   "-export",
                           "-keypbe",  "AES-256-CBC",
                           "-certpbe", "AES-256-CBC",
                           "-macalg",  "sha256",
                           "-iter",    "2000",
                           "-keyex",   "-LMK",
                           "-CSP",     "Microsoft Software Key Storage Provider",
                           "-name",    "te-0f8fad5b-d9cb-469f-a165-70867728950e",
                           "-inkey",   k,
                           "-in",      File("k.crt"),
                           "-passout", pass}},
      {"empty.p12", {"pkcs12", "-export", "-inkey", k, "-in", File("k.crt"), "-passout", "pass:"}},
      {"nomac.p12",
       {"pkcs12", "-export", "-nomac", "-inkey", k, "-in", File("k.crt"), "-passout", pass}}};
  for (const auto& [name, how] : forms) {
    Arguments command = how;
    command.insert(command.end(), {"-out", File(name)});
    OpenSsl(command);
    const Json made = Answer(Import(name, {"--name", kName}));
    EXPECT_EQ(made["present"], false) << name;
    EXPECT_EQ(made["in_the_clear"], false) << name;
    EXPECT_EQ(made["key"]["exportable"], false) << name;
    EXPECT_EQ(made["key"]["current"], true) << name;
    const bool p12 = name.find(".p12") != std::string::npos;
    EXPECT_EQ(made["key"]["certificate"].is_null(), !p12) << name;
    ExpectSigns("rsa");
    EXPECT_TRUE(std::filesystem::exists(File(name)));
    Forget("rsa");
  }
}

TEST_F(ImportCommand, TakesEcKeysInPkcs8AndTraditional) {
  for (const std::string curve : {"P-256", "P-384", "P-521"}) {
    MakeKey(curve);
    OpenSsl({"ec", "-in", File("k.pem"), "-aes256", "-passout", "file:" + File("password").string(),
             "-out", File("ec.pem")});
    for (const char* file : {"k.pem", "ec.pem"}) {
      EXPECT_EQ(Answer(Import(file, {"--name", kName}))["present"], false);
      ExpectSigns("ec");
      Forget("ec");
    }
  }
}

TEST_F(ImportCommand, TakesAKeystoreOfJavas) {
  const std::string store = File("java.p12");
  const Arguments base = {
      "keytool",    "-genkeypair", "-alias",    "mail", "-keyalg",    "RSA",
      "-keysize",   "2048",        "-dname",    "CN=x", "-ext",       "san=dns:mail.example.test",
      "-storetype", "PKCS12",      "-keystore", store,  "-storepass", kPassword};
  const auto made = keybroker::test::RunCommand(base);
  ASSERT_EQ(made.status, 0) << made.out << made.err;
  const Json imported = Answer(Import("java.p12"));
  EXPECT_EQ(imported["key"]["name"], kName);  // from the certificate
  EXPECT_EQ(imported["format"], "pkcs12");
  EXPECT_EQ(imported["key"]["certificate"]["subject"], "CN=x");
}

TEST_F(ImportCommand, TakesAKeyManagersBackupFileWithItsCertificate) {
  MakeKey("rsa:2048");
  for (const bool sgc : {false, true}) {
    Write("backup.key", KeyManagerFile(sgc));
    const Json made = Answer(Import("backup.key"));
    EXPECT_EQ(made["format"], "key-manager");
    EXPECT_EQ(made["key"]["name"], kName);
    EXPECT_EQ(made["key"]["certificate"]["issuer"], "CN=Test CA");
    ExpectSigns("rsa");
    Forget("rsa");
  }
}

class ImportOnNss : public ImportCommand {
 protected:
  void Make() override {
    Host::Make();  // NOLINT(bugprone-parent-virtual-call): its token is another
    MakeCa();
    Write("password", std::string(kPassword) + "\n", 0600);
    InitNssToken();
  }
};

TEST_F(ImportOnNss, TakesRsaAndEcKeysByUnwrapping) {
  MakeKey("rsa:2048");
  Write("backup.key", KeyManagerFile());
  EXPECT_EQ(Answer(Import("backup.key"))["in_the_clear"], false);
  ExpectSigns("rsa");
  for (const std::string curve : {"P-256", "P-384", "P-521"}) {
    MakeKey(curve);
    OpenSsl({"pkcs12", "-export", "-inkey", File("k.pem"), "-in", File("k.crt"), "-passout",
             "file:" + File("password").string(), "-out", File("k.p12")});
    EXPECT_EQ(Answer(Import("k.p12"))["in_the_clear"], false);
    ExpectSigns("ec");
    Text({"key", "delete", kName, "--type", "ec", "--yes", "--force"});
    std::filesystem::remove(File("etc/current.toml"));
  }
}

TEST_F(ImportCommand, AdvisesToDeleteTheSourceAndDoesNot) {
  MakeKey("P-256");
  const auto done = Run(Import("k.pem", {"--name", kName}));
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_THAT(done.out, AllOf(HasSubstr("still holds the private key"), HasSubstr("shred -u"),
                              HasSubstr("no backup of it")));
  EXPECT_TRUE(std::filesystem::exists(File("k.pem")));
}

TEST_F(ImportCommand, RefusesAWeakKeyUnlessAskedTo) {
  MakeKey("rsa:1024");
  const auto refused = Run(Import("k.pem", {"--name", kName}));
  EXPECT_EQ(refused.status, 17);
  EXPECT_THAT(refused.err,
              AllOf(HasSubstr("1024 bits"), HasSubstr("factored"), HasSubstr("--allow-weak")));
  EXPECT_THAT(Text({"key", "list"}), HasSubstr("no key yet"));
  const Json made = Answer(Import("k.pem", {"--name", kName, "--allow-weak"}));
  EXPECT_EQ(made["key"]["bits"], 1024);
  EXPECT_THAT(made["notes"].dump(), HasSubstr("weak"));
}

TEST_F(ImportCommand, ExitsDifferentlyForWhatIsWrongWithAFile) {
  MakeKey("rsa:2048");
  const auto status = [&](const std::string& content, const std::string& password = "password") {
    Write("it", content);
    const auto result = Run({"--json", "key", "import", File("it"), "--name", kName,
                             "--password-file", File(password)});
    const Json json = Json::parse(result.out, nullptr, false);
    const std::string code = json.contains("error") ? json["error"]["code"] : Json("none");
    return std::to_string(result.status) + " " + code;
  };
  const std::string file = KeyManagerFile();
  EXPECT_EQ(status("hello"), "10 not-a-key-file");
  EXPECT_EQ(status(Read("k.crt")), "10 not-a-key-file");
  EXPECT_EQ(status(file.substr(0, 800)), "11 truncated");
  EXPECT_EQ(status(Read("k.pem").substr(0, 500)), "11 truncated");
  EXPECT_EQ(status(file, "wrong"), "15 wrong-password-or-damaged");
  EXPECT_EQ(status(Read("k.pem") + Read("ca.key")), "16 unsupported");
  OpenSsl({"genpkey", "-algorithm", "ED25519", "-out", File("ed.pem")});
  EXPECT_EQ(status(Read("ed.pem")), "16 unsupported");
  OpenSsl({"pkcs8", "-topk8", "-in", File("k.pem"), "-iter", "10000001", "-passout", "pass:x",
           "-out", File("dear.pem")});
  EXPECT_EQ(status(Read("dear.pem")), "14 over-cap");
  EXPECT_THAT(Text({"key", "list"}), HasSubstr("no key yet"));
}

TEST_F(ImportCommand, ComparesAKeyThatIsThereAndChangesNothing) {
  MakeKey("rsa:2048");
  Write("backup.key", KeyManagerFile());
  Text(Import("backup.key"));
  const Json before = Answer({"key", "list"});
  const Json again = Answer(Import("backup.key"));
  EXPECT_EQ(again["present"], true);
  EXPECT_EQ(again["differences"], Json::array());
  EXPECT_THAT(Misused(Import("backup.key", {"--name", "other.example.test"})),
              AllOf(HasSubstr("is for " + std::string(kName) + ", not for other.example.test"),
                    HasSubstr("--force")));
  EXPECT_THAT(Fails(Import("backup.key", {"--name", "other.example.test", "--force"})),
              AllOf(HasSubstr("has this very key already, as " + std::string(kName)),
                    HasSubstr("nothing was changed")));
  EXPECT_EQ(Answer({"key", "list"}), before);
}

TEST_F(ImportCommand, WantsANameWhereTheFileHasNone) {
  MakeKey("P-256");
  EXPECT_THAT(Misused(Import("k.pem")), HasSubstr("--name"));
}

TEST_F(ImportCommand, IsExportableOnlyWhereTheAdministratorAllowsIt) {
  MakeKey("P-256");
  EXPECT_THAT(Fails(Import("k.pem", {"--name", kName, "--exportable"})),
              HasSubstr("restore_exportable"));
  std::string toml = Read("etc/keybroker.toml");
  toml.replace(toml.find("restore_exportable = false"), 26, "restore_exportable = true ");
  Write("etc/keybroker.toml", toml);
  EXPECT_EQ(Answer(Import("k.pem", {"--name", kName, "--exportable"}))["key"]["exportable"], true);
}

TEST_F(ImportCommand, IsInTheOperatorsAuditChainWithoutItsPassword) {
  MakeKey("rsa:2048");
  Write("backup.key", KeyManagerFile());
  EXPECT_EQ(Run({"key", "import", File("backup.key"), "--password-file", File("wrong")}).status,
            15);
  EXPECT_THAT(Read("state/operator/audit.log"), HasSubstr("wrong-password-or-damaged"));
  Text(Import("backup.key"));
  const std::string log = Read("state/operator/audit.log");
  EXPECT_THAT(
      log, AllOf(HasSubstr("\"key-import\""), HasSubstr("key-manager"), Not(HasSubstr(kPassword))));
  EXPECT_EQ(Answer({"audit", "verify", "--log", "operator"})["good"], true);
}

TEST_F(ImportCommand, LeavesTheTokenAsItWasWhereItDoesNotTakeTheKey) {
  MakeKey("P-256");
  Write("token/plan", "C_UnwrapKey 3 100 48\n", 0666);  // CKR_DEVICE_ERROR, but for the probe
  GiveToTokenUser("token/plan");
  std::string toml = Read("etc/tokens.d/main.toml");
  toml.replace(toml.find(KB_SOFTHSM), std::string(KB_SOFTHSM).size(),
               KB_BUILD_DIR "/lib/faulty_module.so");
  const size_t at = toml.find("SOFTHSM2_CONF");
  toml.insert(toml.rfind('\n', at) + 1,
              "KB_FAULTY_PLAN = \"" + File("token/plan").string() + "\"\n");
  Write("etc/tokens.d/main.toml", toml);
  EXPECT_THAT(Fails(Import("k.pem", {"--name", kName})), HasSubstr("CKR_DEVICE_ERROR"));
  EXPECT_THAT(Text({"key", "list"}), HasSubstr("no key yet"));
  EXPECT_THAT(Read("state/operator/audit.log"), HasSubstr("key-import"));
}

}  // namespace
}  // namespace keybroker::cli::test
