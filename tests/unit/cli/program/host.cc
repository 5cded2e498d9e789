#include "unit/cli/program/host.h"

#include <sys/stat.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "keybroker/base/kdf_floor.h"
#include "keybroker/base/process.h"
#include "support/token_modules.h"

namespace keybroker::cli::test {

using keybroker::test::Arguments;
using keybroker::test::CommandResult;

namespace {

// Kept is a suite's host as it was made.
struct Kept {
  std::string suite;
  std::optional<keybroker::test::TempDir> folder;
};

void Copy(const std::filesystem::path& from, const std::filesystem::path& to) {
  const auto copied = keybroker::test::RunCommand({"cp", "-a", from / ".", to});
  ASSERT_EQ(copied.status, 0) << copied.err;
}

}  // namespace

void Host::SetUp() {
  static Kept kept;
  const auto& suite = *::testing::UnitTest::GetInstance()->current_test_suite();
  if (kept.suite == suite.name()) return Copy(kept.folder->path(), dir_.path());
  Make();
  if (HasFailure() || suite.test_to_run_count() == 1) return;
  kept.suite = suite.name();
  kept.folder.emplace();
  Copy(dir_.path(), kept.folder->path());
}

void Host::Make() {
  // The users that the programs become have to get in.
  ASSERT_EQ(::chmod(dir_.path().c_str(), 0755), 0);
  for (const char* each : {"etc", "token", "token/tokens"}) {
    std::filesystem::create_directory(File(each));
  }
  Write("token/softhsm2.conf",
        "directories.tokendir = " + File("token/tokens").string() + "\nlog.level = ERROR\n");
  Write("token/pin", std::string(kPin) + "\n", 0600);
  Write("so-pin", "31415926\n", 0600);
  for (const char* each : {"token", "token/tokens", "token/pin"}) GiveToTokenUser(each);
  Arguments setup = {"setup",
                     "--runtime-dir",
                     File("run"),
                     "--state-dir",
                     File("state"),
                     "--profiles-dir",
                     std::string(KB_SOURCE_DIR) + "/tokens"};
  Text(setup);
  AllowTheFloor();
}

void Host::AllowTheFloor() const {
  std::string text = Read("etc/keybroker.toml");
  const std::string written = "iterations = 600000\n";
  const size_t at = text.find(written);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, written.size(), "iterations = " + std::to_string(kKdfFloor) + "\n");
  Write("etc/keybroker.toml", text);
}

CommandResult Host::Run(const Arguments& arguments) const {
  CommandResult result = RunAsTyped(arguments);
  // What is printed is read as with the default configuration, where commands do not name it.
  const std::string named = "keybroker --config " + File("etc/keybroker.toml").string();
  for (std::string* text : {&result.out, &result.err}) {
    for (size_t at = 0; (at = text->find(named, at)) != std::string::npos;) {
      text->replace(at, named.size(), "keybroker");
    }
  }
  return result;
}

CommandResult Host::RunAsTyped(const Arguments& arguments) const {
  Arguments all = {KB_BUILD_DIR "/bin/keybroker", "--config", File("etc/keybroker.toml")};
  all.insert(all.end(), arguments.begin(), arguments.end());
  // A session of its own, so that nothing can ask a terminal.
  all.insert(all.begin(), {"setsid", "--wait"});
  return keybroker::test::RunCommand(all);
}

std::string Host::Text(const Arguments& arguments) const {
  const CommandResult result = Run(arguments);
  EXPECT_EQ(result.status, 0) << ::testing::PrintToString(arguments) << result.err;
  return result.out;
}

std::string Host::Fails(const Arguments& arguments) const {
  const CommandResult result = Run(arguments);
  EXPECT_EQ(result.status, 1) << ::testing::PrintToString(arguments) << result.out << result.err;
  EXPECT_EQ(result.err.substr(0, 11), "keybroker: ") << result.err;
  return result.err;
}

std::string Host::Misused(const Arguments& arguments) const {
  const CommandResult result = Run(arguments);
  EXPECT_EQ(result.status, 2) << ::testing::PrintToString(arguments) << result.out << result.err;
  EXPECT_EQ(result.err.substr(0, 11), "keybroker: ") << result.err;
  return result.err;
}

Host::Json Host::Answer(Arguments arguments) const {
  arguments.insert(arguments.begin(), "--json");
  return Json::parse(Text(arguments), nullptr, false);
}

Arguments Host::TokenArguments(const std::string& name, const std::string& label) const {
  return {"token",
          "add",
          name,
          "--module",
          KB_SOFTHSM,
          "--label",
          label,
          "--env",
          "SOFTHSM2_CONF=" + File("token/softhsm2.conf").string(),
          "--profile",
          "softhsm2",
          "--pin-file",
          File("token/pin")};
}

void Host::AddToken(const std::string& label) { Text(TokenArguments("main", label)); }

void Host::InitToken() {
  AddToken();
  Text({"token", "init", "--so-pin-file", File("so-pin")});
}

void Host::InitNssToken() {
  const std::string database = "sql:" + File("token/tokens").string();
  Text({"token", "add", "main", "--module", keybroker::test::NssModule(), "--label",
        "NSS Certificate DB", "--init-args",
        "configdir='" + database + "' certPrefix='' keyPrefix='' secmod='secmod.db' flags=",
        "--profile", "nss", "--pin-file", File("token/pin")});
  Text({"token", "init", "--so-pin-file", File("so-pin")});
}

void Host::MakeToken(const std::string& label) const {
  const auto result =
      keybroker::test::RunCommand({"softhsm2-util", "--init-token", "--free", "--label", label,
                                   "--so-pin", "31415926", "--pin", kPin},
                                  {{"SOFTHSM2_CONF", File("token/softhsm2.conf")}});
  ASSERT_EQ(result.status, 0) << result.err;
  GiveTokenFiles();
}

void Host::GiveTokenFiles() const {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(File("token/tokens"))) {
    GiveToTokenUser(std::filesystem::relative(entry.path(), dir_.path()));
  }
}

void Host::OpenSsl(const Arguments& arguments) const {
  Arguments all = {"openssl"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  const auto result = keybroker::test::RunCommand(all);
  ASSERT_EQ(result.status, 0) << result.err;
}

void Host::MakeCa() const {
  OpenSsl({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
           "-keyout", File("ca.key"), "-out", File("ca.pem"), "-days", "30", "-subj",
           "/CN=Test CA"});
}

std::filesystem::path Host::Sign(const std::string& request, const std::string& names,
                                 const std::string& file, int days) const {
  Write("names", "subjectAltName=" + names + "\n");
  OpenSsl({"x509", "-req", "-in", File(request), "-CA", File("ca.pem"), "-CAkey", File("ca.key"),
           "-CAcreateserial", "-days", std::to_string(days), "-extfile", File("names"), "-out",
           File(file)});
  return File(file);
}

void Host::SignBetween(const std::string& request, const std::string& from,
                       const std::string& until, const std::string& file) const {
  // Only `openssl ca` of OpenSSL 3.0 takes dates, and it wants a folder of its own.
  std::filesystem::create_directory(File("issued"));
  Write("issued/index", "");
  Write("issued/serial", "1001\n");
  Write("issued/ca.cnf", "[ca]\ndefault_ca=x\n[x]\ndatabase=" + File("issued/index").string() +
                             "\nserial=" + File("issued/serial").string() + "\nnew_certs_dir=" +
                             File("issued").string() + "\ncertificate=" + File("ca.pem").string() +
                             "\nprivate_key=" + File("ca.key").string() +
                             "\ndefault_md=sha256\npolicy=p\nx509_extensions=e\nunique_subject=no\n"
                             "[p]\ncommonName=supplied\n[e]\nsubjectAltName=DNS:" +
                             kName + "\n");
  OpenSsl({"ca", "-batch", "-notext", "-config", File("issued/ca.cnf"), "-in", File(request),
           "-startdate", from, "-enddate", until, "-out", File(file)});
}

std::string Host::Id(const std::string& name, const std::string& type) const {
  const Json json = Answer({"key", "show", name, "--type", type});
  for (const auto& key : json["keys"]) {
    if (key["current"]) return key["id"];
  }
  return {};
}

void Host::Write(const std::string& name, const std::string& text, unsigned mode) const {
  keybroker::test::WriteAll(File(name), text);
  ASSERT_EQ(::chmod(File(name).c_str(), static_cast<mode_t>(mode)), 0);
}

void Host::GiveToTokenUser(const std::string& name) const {
  if (::getuid() != 0) return;
  const auto user = FindUser("keybroker-token");
  ASSERT_TRUE(user.has_value()) << "run scripts/setup";
  ASSERT_EQ(::chown(File(name).c_str(), user->uid, user->gid), 0);
}

}  // namespace keybroker::cli::test
