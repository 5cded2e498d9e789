// drill --level 3: broker, module, engine and TLS, as a listener has them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>

#include <sstream>

#include "support/sanitized.h"
#include "unit/cli/program/backup_host.h"

namespace keybroker::cli::test {
namespace {

using keybroker::test::Arguments;
using keybroker::test::Process;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class DrillAsListener : public BackupHost {
 protected:
  void TearDown() override { ExpectNoDrillFolderStays(); }

  // Request makes a key without a certificate, and gives the file of its request.
  std::string Request(const std::string& name) const {
    Text({"key", "generate", name, "--exportable"});
    Text({"request", "create", name, "-o", File("bare.csr")});
    return "bare.csr";
  }

  // PutCertificate writes one to the token that keybroker would not install.
  void PutCertificate(const std::string& name, const std::string& file) const {
    OpenSsl({"x509", "-in", File(file), "-outform", "DER", "-out", File("put.der")});
    const auto result = keybroker::test::RunCommand(
        {"pkcs11-tool", "--module", KB_SOFTHSM, "--login", "--pin", kPin, "--token-label", "stack",
         "--write-object", File("put.der"), "--type", "cert", "--id", Id(name, "ec"), "--label",
         name},
        {{"SOFTHSM2_CONF", File("token/softhsm2.conf").string()}});
    ASSERT_EQ(result.status, 0) << result.err;
    GiveTokenFiles();
  }

  Arguments Level3(const std::filesystem::path& path) const {
    return With({"drill", path, "--level", "3"});
  }
};

void ExpectHandshakes(const nlohmann::json& result, const std::string& signature,
                      const std::string& cipher) {
  ASSERT_EQ(result["tls"].size(), 2U) << result;
  EXPECT_EQ(result["tls"][0]["version"], "TLSv1.3");
  EXPECT_THAT(result["tls"][0]["cipher"].get<std::string>(), HasSubstr("TLS_"));
  EXPECT_EQ(result["tls"][1]["version"], "TLSv1.2");
  EXPECT_THAT(result["tls"][1]["cipher"].get<std::string>(), HasSubstr(cipher));
  for (const auto& made : result["tls"]) {
    EXPECT_THAT(made["signature"].get<std::string>(), HasSubstr(signature));
    EXPECT_GT(made["ms"].get<double>(), 0);
  }
}

TEST_F(DrillAsListener, ServesEachBackupOfAFolderByTls) {
  Export("rsa");
  Export("ec");
  const Json keys = Answer({"key", "list"});
  auto command = Level3(File("safe"));
  command.insert(command.end(), {"--report", File("drill.html")});
  const Json drill = Answer(command);
  EXPECT_EQ(drill["good_count"], 2);
  EXPECT_EQ(drill["level"], 3);
  EXPECT_EQ(drill["proved"], true);
  EXPECT_TRUE(drill["next_due"].is_string());
  EXPECT_THAT(drill["destroyed"].get<std::string>(), HasSubstr("seen to be gone"));
  EXPECT_THAT(drill["token"].get<std::string>(), HasSubstr("through keybrokerd"));
  ExpectHandshakes(drill["results"][0], "ECDSA+", "ECDHE-ECDSA-");
  ExpectHandshakes(drill["results"][1], "RSA-PSS+", "ECDHE-RSA-");
  EXPECT_GT(drill["results"][1]["restore_ms"].get<double>(), 0);
  EXPECT_THAT(Read("drill.html"), AllOf(HasSubstr("TLSv1.2 ECDHE-RSA-"), HasSubstr("TLSv1.3 TLS_"),
                                        HasSubstr("RSA-PSS"), HasSubstr("<br>of it restore "),
                                        Not(HasSubstr("<script"))));
  EXPECT_THAT(Text(Level3(File("safe"))),
              AllOf(HasSubstr("TLSv1.3 TLS_"), HasSubstr("2 of 2 backups are good, level 3")));
  // This host's own keys, broker and records have nothing to do with it, but for the drill's date.
  EXPECT_EQ(Answer({"key", "list"}), keys);
  EXPECT_FALSE(std::filesystem::exists(File("run")));
  const Json record =
      Json::parse(Read("state/operator/backups/" + Id(kName, "rsa") + ".json"), nullptr, false);
  EXPECT_EQ(record["drill_level"], 3);
}

TEST_F(DrillAsListener, SaysWhichFileIsBadAndServesTheOthers) {
  const std::string file = Export("ec");
  std::string bytes = keybroker::test::ReadAll(file);
  bytes.pop_back();
  Write("safe/cut.p12", bytes);
  const auto result = Run(With({"--json", "drill", File("safe"), "--level", "3"}));
  EXPECT_EQ(result.status, 1);
  const Json drill = Json::parse(result.out, nullptr, false);
  EXPECT_EQ(drill["good_count"], 1);
  EXPECT_EQ(drill["results"][0]["code"], "truncated");
  EXPECT_FALSE(drill["results"][0].contains("tls"));
  EXPECT_EQ(Run(With({"drill", file, "--level", "3"}, "wrong")).status, 15);
}

TEST_F(DrillAsListener, ProvesNoKeyWithoutACertificate) {
  Text({"key", "generate", "bare.example.test", "--exportable"});
  Text(With({"backup", "export", "bare.example.test", "-o", File("bare.p12")}));
  EXPECT_THAT(Run(Level3(File("bare.p12"))).out,
              AllOf(HasSubstr("has no certificate"),
                    HasSubstr("drill it at level 2. A backup at birth never has one"),
                    HasSubstr("next due: now")));
  EXPECT_EQ(Run(Level3(File("bare.p12"))).status, 1);
  EXPECT_EQ(Answer(With({"drill", File("bare.p12")}))["good_count"], 1);
}

// What kept it from being rehearsed says nothing of the backup.
TEST_F(DrillAsListener, TakesNoProofBackForWhatIsNotTheBackups) {
  Text({"key", "generate", "bare.test", "--exportable"});
  Text(With({"backup", "export", "bare.test", "-o", File("safe/bare.p12")}));
  const std::string record = "state/operator/backups/" + Id("bare.test", "ec") + ".json";
  const std::string before = Read(record);
  EXPECT_THAT(Run(Level3(File("safe/bare.p12"))).out, HasSubstr("the backup has no certificate"));
  EXPECT_EQ(Read(record), before);
}

TEST_F(DrillAsListener, ServesACertificateThatExpiredAndWarns) {
  SignBetween(Request("bare.example.test"), "20200101000000Z", "20210101000000Z", "bare.crt");
  PutCertificate("bare.example.test", "bare.crt");
  Text(With({"backup", "export", "bare.example.test", "-o", File("bare.p12")}));
  // SignBetween's certificates are for kName, whatever the key.
  const auto result = Run(Level3(File("bare.p12")));
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.out, AllOf(HasSubstr("the TLS 1.3 handshake: the client does not accept"),
                                HasSubstr("hostname mismatch")));
  EXPECT_THAT(result.err, HasSubstr("expired at 2021-01-01T00:00:00Z"));
}

TEST_F(DrillAsListener, RefusesWhatMakesNoSense) {
  const std::string file = Export("ec");
  EXPECT_THAT(Misused(With({"drill", file, "--level", "3", "--token", "main"})),
              HasSubstr("makes a token of its own"));
  EXPECT_THAT(Misused(With({"drill", file, "--level", "4"})), HasSubstr("1, 2 or 3"));
  EXPECT_THAT(Fails(With({"drill", file, "--level", "3", "--module", "/nowhere"})),
              HasSubstr("/nowhere"));
}

TEST_F(DrillAsListener, SaysAtWhichStepItFailed) {
  const std::string file = Export("ec");
  std::string settings = Read("etc/keybroker.toml");
  const std::string profiles = std::string(KB_SOURCE_DIR) + "/tokens";
  settings.replace(settings.find(profiles), profiles.size(), File("safe").string());
  Write("etc/keybroker.toml", settings);
  const auto result = Run(Level3(file));
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.out, AllOf(HasSubstr("keybroker-tokenhost does not start"),
                                HasSubstr("softhsm2.toml"), HasSubstr("0 of 1")));
}

// FaultyDrill has its scratch token behind the faulty module.
class FaultyDrill : public DrillAsListener {
 protected:
  void SetUp() override {
    if (KB_SANITIZED) GTEST_SKIP() << "*** a process that is killed is not examined; release does";
    DrillAsListener::SetUp();
    file_ = Export("ec");
    // A user of the drill's own loads it, with nothing of this process's environment.
    const auto module = File("faulty/module.so");
    std::filesystem::create_directory(File("faulty"));
    std::filesystem::copy_file(KB_BUILD_DIR "/lib/faulty_module.so", module);
    Write("faulty/module.so.env", "KB_FAULTY_PLAN=" + File("faulty/plan").string() +
                                      "\nKB_FAULTY_LOG=" + File("faulty/log").string() + "\n");
    Plan("");
    Write("faulty/log", "", 0666);
    command_ = {KB_BUILD_DIR "/bin/keybroker", "--config", File("etc/keybroker.toml"), "--json"};
    const auto drill = Level3(file_);
    command_.insert(command_.end(), drill.begin(), drill.end());
    command_.insert(command_.end(), {"--module", module});
  }

  // Signatures is how many the token makes in all; the last two are those of the handshakes.
  unsigned Signatures() const {
    const auto result = keybroker::test::RunCommand(command_);
    EXPECT_EQ(result.status, 0) << result.out << result.err;
    std::istringstream log(Read("faulty/log"));
    unsigned count = 0;
    for (std::string line; std::getline(log, line);) count += line == "C_Sign" ? 1 : 0;
    return count;
  }

  void Plan(const std::string& plan) const { Write("faulty/plan", plan, 0666); }

  std::string file_;
  Arguments command_;
};

// A rehearsal that a crash ended says nothing of its backup, and takes nothing from the others.
TEST_F(FaultyDrill, OfOneThatCrashesLeavesTheOthersTheirs) {
  Export("rsa");
  std::replace(command_.begin(), command_.end(), file_, File("safe").string());
  const std::string record = "state/operator/backups/" + Id(kName, "ec") + ".json";
  EXPECT_THAT(Read(record), Not(HasSubstr("\"proved\": 0")));
  Plan("C_UnwrapKey 0 1 crash\n");
  const auto result = keybroker::test::RunCommand(command_);
  EXPECT_EQ(result.status, 1);
  const Json drill = Json::parse(result.out, nullptr, false);
  ASSERT_EQ(drill["results"].size(), 2U) << result.out << result.err;
  EXPECT_EQ(drill["good_count"], 1);
  const Json& crashed = drill["results"][drill["results"][0]["good"] == true ? 1 : 0];
  EXPECT_EQ(crashed["code"], "not-held");
  EXPECT_EQ(crashed["held"], false);
  EXPECT_THAT(Read(record), Not(HasSubstr("\"proved\": 0")));
}

TEST_F(FaultyDrill, TellsThatTheTokenDidNotSign) {
  const unsigned count = Signatures();
  ASSERT_GT(count, 2U);
  Plan("C_Sign " + std::to_string(count - 1) + " 1 " + std::to_string(0x05) +
       "\n");  // CKR_GENERAL_ERROR
  const auto result = keybroker::test::RunCommand(command_);
  EXPECT_EQ(result.status, 1) << result.out;
  const Json drill = Json::parse(result.out, nullptr, false);
  EXPECT_THAT(drill["results"][0]["failure"].get<std::string>(),
              AllOf(HasSubstr("the TLS 1.2 handshake"), HasSubstr("Their log ends:")));
  EXPECT_EQ(drill["results"][0]["tls"].size(), 1U);
  EXPECT_EQ(drill["proved"], false);
}

TEST_F(FaultyDrill, LeavesNothingWhenItIsKilled) {
  const unsigned count = Signatures();
  Plan("C_Sign " + std::to_string(count - 2) + " 1 hang\n");
  Process process = Process::Start(command_);
  while (!Read("faulty/plan").empty()) {
    if (const auto status = process.Wait(std::chrono::milliseconds(10))) {
      FAIL() << *status << process.output();
    }
  }
  process.Signal(SIGKILL);
  EXPECT_EQ(process.Wait(), 128 + SIGKILL);
  // TearDown waits for the folder's end.
}

}  // namespace
}  // namespace keybroker::cli::test
