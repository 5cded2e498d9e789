// `keybroker run --check` and `doctor`: with the built programs, on files that an operator broke.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "unit/cli/program/host.h"

namespace keybroker::cli::test {
namespace {

using keybroker::test::Process;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class CheckCommand : public Host {
 protected:
  void Make() override {
    Host::Make();
    InitToken();
    Text({"listener", "add", "smtp", "--user", "root"});
  }

  // Complaints is what `run --check` says when it fails.
  std::string Complaints() const {
    const auto result = Run({"run", "--check"});
    EXPECT_EQ(result.status, 1) << result.out;
    return result.err;
  }

  // Edit puts something else in a file's place of `from`.
  void Edit(const std::string& file, const std::string& from, const std::string& to) const {
    std::string text = Read(file);
    ASSERT_NE(text.find(from), std::string::npos) << from;
    Write(file, text.replace(text.find(from), from.size(), to));
  }

  // Finding is the text of doctor's line about subject, with its state in front.
  std::string Finding(const std::string& subject) const {
    const auto result = Run({"--json", "doctor"});
    const Json json = Json::parse(result.out, nullptr, false);
    std::string all;
    for (const auto& line : json["lines"]) {
      if (line["subject"] == subject) {
        all += line["state"].get<std::string>() + ": " + line["text"].get<std::string>() + "\n";
      }
    }
    return all;
  }
};

TEST_F(CheckCommand, AcceptsWhatTheCommandsWrote) {
  const std::string said = Text({"run", "--check"});
  EXPECT_THAT(said, HasSubstr("ok: 1 listeners, 1 tokens"));
}

TEST_F(CheckCommand, LooksForTheProgramsThatItRuns) {
  EXPECT_EQ(Finding("broker and tokenhost"), "ok: installed in " KB_BUILD_DIR "/bin\n");
}

TEST_F(CheckCommand, NamesFileLineAndLegalValuesOfATypoInEachKindOfFile) {
  Edit("etc/keybroker.toml", "\nworkers = ", "\nworkerz = ");
  EXPECT_THAT(Complaints(), AllOf(HasSubstr("keybroker.toml:"), HasSubstr("\"workerz\""),
                                  HasSubstr("the legal keys here are"), HasSubstr("workers")));
  Edit("etc/keybroker.toml", "\nworkerz = ", "\nworkers = ");
  Edit("etc/listeners.d/smtp.toml", "users = ", "user = ");
  EXPECT_THAT(Complaints(), AllOf(HasSubstr("smtp.toml:"), HasSubstr("\"user\""),
                                  HasSubstr("the legal keys here are"), HasSubstr("users")));
  Edit("etc/listeners.d/smtp.toml", "user = ", "users = ");
  Edit("etc/tokens.d/main.toml", "label = ", "lable = ");
  const std::string complaints = Complaints();
  EXPECT_THAT(complaints, AllOf(HasSubstr("main.toml:"), HasSubstr("\"lable\""),
                                HasSubstr("the legal keys here are"),
                                HasSubstr("label: is missing"), Not(HasSubstr("\\x0a"))));
  Edit("etc/tokens.d/main.toml", "lable = ", "label = ");
  Text({"run", "--check"});
}

TEST_F(CheckCommand, SaysThatAFolderOfTheConfigurationIsMissing) {
  std::filesystem::rename(File("etc/listeners.d"), File("etc/elsewhere"));
  EXPECT_THAT(Complaints(), AllOf(HasSubstr("listeners.d: cannot be read"),
                                  HasSubstr("make it, or correct [paths]")));
}

TEST_F(CheckCommand, StartsNothingWithAWrongConfiguration) {
  Edit("etc/listeners.d/smtp.toml", "users = ", "user = ");
  const auto result = Run({"run"});
  EXPECT_EQ(result.status, 1);
  EXPECT_THAT(result.err, HasSubstr("smtp.toml:"));
  EXPECT_FALSE(std::filesystem::exists(File("run/smtp/socket")));
}

// The supervised broker tries again, so that the operator's chmod is all that it takes.
TEST_F(CheckCommand, RunSaysWhyASocketFolderIsUnsafeAndGoesOnWhenItIsSafe) {
  std::filesystem::create_directories(File("run/smtp"));
  std::filesystem::permissions(File("run/smtp"), std::filesystem::perms(0777));
  Process run = Process::Start(
      {KB_BUILD_DIR "/bin/keybroker", "--config", File("etc/keybroker.toml"), "run"});
  ASSERT_TRUE(run.WaitForText("chmod go-w " + File("run/smtp").string())) << run.output();
  EXPECT_THAT(run.output(), HasSubstr("is writable by others than its owner"));
  std::filesystem::permissions(File("run/smtp"), std::filesystem::perms(0755));
  ASSERT_TRUE(run.WaitForText("keybroker: ready")) << run.output();
  EXPECT_EQ(run.Stop(), 0) << run.output();
}

TEST_F(CheckCommand, RunSaysThatABrokerServesItsSocketsAlready) {
  Process broker =
      Process::Start({KB_BUILD_DIR "/bin/keybrokerd", "--config", File("etc/keybroker.toml")});
  ASSERT_TRUE(broker.WaitForText("ready")) << broker.output();
  EXPECT_THAT(Fails({"run"}), AllOf(HasSubstr("a broker serves " + File("run").string()),
                                    HasSubstr("pid " + std::to_string(broker.pid()))));
  EXPECT_EQ(broker.Stop(), 0) << broker.output();
}

TEST_F(CheckCommand, ServesTheOthersWhenAJailIsMissingAndSaysSoEverywhere) {
  EXPECT_THAT(Run({"listener", "add", "jailed", "--user", "root", "--jail", File("no-jail")}).err,
              HasSubstr("no-jail is not a directory"));
  EXPECT_THAT(Complaints(),
              AllOf(HasSubstr("jailed.toml"), HasSubstr("no-jail is not a directory"),
                    HasSubstr("take it out of jails"), HasSubstr("not ok, see above: keybrokerd")));
  Process run = Process::Start(
      {KB_BUILD_DIR "/bin/keybroker", "--config", File("etc/keybroker.toml"), "run"});
  ASSERT_TRUE(run.WaitForText("keybroker: ready")) << run.output();
  EXPECT_THAT(run.output(), HasSubstr("no-jail is not a directory"));
  EXPECT_THAT(Text({"status"}), HasSubstr("no-jail is not a directory"));
  EXPECT_THAT(Finding("broker"), HasSubstr("no-jail is not a directory"));
  EXPECT_THAT(Finding("listener jailed"), AllOf(HasSubstr("its jail"), HasSubstr("make it")));
  EXPECT_TRUE(std::filesystem::exists(File("run/smtp/socket")));
  EXPECT_TRUE(std::filesystem::exists(File("run/jailed/socket")));
  std::filesystem::create_directory(File("no-jail"));
  Text({"reload"});
  EXPECT_TRUE(std::filesystem::exists(File("no-jail") / File("run/jailed/socket").relative_path()));
  EXPECT_EQ(run.Stop(), 0) << run.output();
  EXPECT_THAT(Text({"run", "--check"}), HasSubstr("ok: 2 listeners"));
}

TEST_F(CheckCommand, ASecondRunEndsWithThePidOfTheFirstWhichGoesOn) {
  Process first = Process::Start(
      {KB_BUILD_DIR "/bin/keybroker", "--config", File("etc/keybroker.toml"), "run"});
  ASSERT_TRUE(first.WaitForText("keybroker: ready")) << first.output();
  EXPECT_THAT(Fails({"run"}),
              AllOf(HasSubstr("already running as pid " + std::to_string(first.pid())),
                    HasSubstr("keybroker reload")));
  const Json status = Answer({"status"});
  EXPECT_EQ(status["tokens"][0]["state"], "ready");
  EXPECT_EQ(status["listeners"].size(), 1U);
  EXPECT_TRUE(std::filesystem::exists(File("run/smtp/socket")));
  EXPECT_EQ(first.Stop(), 0) << first.output();
}

TEST_F(CheckCommand, DoctorSeesAGuardedPin) {
  EXPECT_THAT(Finding("token main"), HasSubstr("ok: \"stack\""));
  Write("token/pin", "000000\n", 0600);
  GiveToTokenUser("token/pin");
  Fails({"key", "list"});
  EXPECT_THAT(Finding("token main"), AllOf(HasSubstr("wrong: "), HasSubstr("CKR_PIN_INCORRECT"),
                                           HasSubstr("keybroker token unlock")));
}

TEST_F(CheckCommand, DoctorSeesFilesThatOthersCanReadOrWrite) {
  std::filesystem::permissions(File("token/pin"), std::filesystem::perms(0644));
  EXPECT_THAT(Finding("PIN of main"), AllOf(HasSubstr("wrong: "), HasSubstr("chmod go=")));
  std::filesystem::permissions(File("etc/listeners.d"), std::filesystem::perms(0777));
  EXPECT_THAT(Finding("listeners"), AllOf(HasSubstr("wrong: "), HasSubstr("chmod go-w")));
  std::filesystem::remove(File("token/pin"));
  EXPECT_THAT(Finding("PIN of main"), AllOf(HasSubstr("is missing"), HasSubstr("mode 0600")));
}

TEST_F(CheckCommand, DoctorSeesCertificatesThatEndedOrEndSoon) {
  Text({"key", "generate", kName});
  const std::string subject = "key " + std::string(kName) + " (ec)";
  EXPECT_THAT(Finding(subject), HasSubstr("warning: it has no certificate"));
  MakeCa();
  Text({"request", "create", kName, "-o", File("mail.csr")});
  Sign("mail.csr", "DNS:" + std::string(kName), "mail.crt", 10);
  Text({"certificate", "install", kName, File("mail.crt"), "--ca", File("ca.pem")});
  EXPECT_THAT(Finding(subject), AllOf(HasSubstr("warning: "), HasSubstr("ask the CA")));
  Sign("mail.csr", "DNS:" + std::string(kName), "mail.crt", 29);
  Text({"certificate", "install", kName, File("mail.crt"), "--ca", File("ca.pem")});
  EXPECT_THAT(Finding(subject), HasSubstr("ok: certificate until 20"));
  // What was installed in time and has ended since.
  Sign("mail.csr", "DNS:" + std::string(kName), "mail.crt", -1);
  for (const auto& chain : std::filesystem::directory_iterator(File("etc/chains"))) {
    keybroker::test::WriteAll(chain.path(), Read("mail.crt"));
  }
  EXPECT_THAT(Finding(subject), AllOf(HasSubstr("wrong: "), HasSubstr("expired at 20"),
                                      HasSubstr("certificate install")));
}

TEST_F(CheckCommand, DoctorSeesAKeyThatIsGoneFromTheToken) {
  Text({"key", "generate", kName});
  Process run = Process::Start(
      {KB_BUILD_DIR "/bin/keybroker", "--config", File("etc/keybroker.toml"), "run"});
  ASSERT_TRUE(run.WaitForText("keybroker: ready")) << run.output();
  const std::string subject = "key " + std::string(kName) + " (ec)";
  EXPECT_THAT(Finding(subject), HasSubstr("no certificate"));
  const std::string current = Read("etc/current.toml");
  Text({"key", "delete", kName, "--force", "--yes"});
  Write("etc/current.toml", current);
  EXPECT_THAT(Finding(subject),
              AllOf(HasSubstr("wrong: "), HasSubstr("is on no token that the broker sees")));
  EXPECT_EQ(run.Stop(), 0) << run.output();
}

}  // namespace
}  // namespace keybroker::cli::test
