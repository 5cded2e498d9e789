// The whole way: token, broker, engine, and a server set up with what `listener config` wrote.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <set>

#include "unit/cli/program/host.h"

namespace keybroker::cli::test {
namespace {

using keybroker::test::Arguments;
using keybroker::test::Process;
using ::testing::AllOf;
using ::testing::HasSubstr;

using Words = std::set<std::string>;

class WholeListener : public Host {
 protected:
  void SetUp() override {
    Host::SetUp();
    InitToken();
    MakeCa();
    for (const char* type : {"rsa", "ec"}) Certify(type);
    Text({"listener", "add", "https", "--user", std::to_string(::getuid()), "--mode", "0666"});
    Text({"listener", "bind", "https", kName});
    run_ = Process::Start(
        {KB_BUILD_DIR "/bin/keybroker", "--config", File("etc/keybroker.toml"), "run"});
    ASSERT_TRUE(run_.WaitForText("keybroker: ready")) << run_.output();
    Text({"listener", "config", "https", "--for", "generic-openssl", "--write", File("out"),
          "--module", KB_BUILD_DIR "/lib/libkeybroker-pkcs11.so", "--engine",
          KB_BUILD_DIR "/lib/engines-3/keybroker.so"});
  }

  void Certify(const std::string& type) {
    Text({"key", "generate", kName, "--type", type, "--exportable"});
    Text({"request", "create", kName, "--type", type, "-o", File("mail.csr")});
    Sign("mail.csr", std::string("DNS:") + kName, "mail.crt");
    Text({"certificate", "install", kName, File("mail.crt"), "--ca", File("ca.pem")});
  }

  std::string Reference(const std::string& type) const {
    return File("out/" + std::string(kName) + "." + type + ".pem");
  }

  // Serve starts openssl s_server with the key and certificates of these files.
  void Serve(Arguments keys) {
    keys.insert(keys.begin(), {"openssl", "s_server", "-accept", "127.0.0.1:0", "-www"});
    server_ = Process::Start(keys, {{"OPENSSL_CONF", File("out/openssl.cnf")}});
    ASSERT_TRUE(server_.WaitForText("ACCEPT 127.0.0.1:")) << server_.output();
    const std::string& said = server_.output();
    address_ = "127.0.0.1:" + std::to_string(std::atoi(&said[said.find("127.0.0.1:") + 10]));
  }

  Json Check(int status, const Arguments& more = {}) const {
    Arguments all = {"--json", "listener", "check", "https", "--connect", address_};
    all.insert(all.end(), more.begin(), more.end());
    const auto result = Run(all);
    EXPECT_EQ(result.status, status) << result.out << result.err;
    return Json::parse(result.out, nullptr, false);
  }

  static std::set<std::string> Findings(const Json& json) {
    std::set<std::string> words;
    for (const auto& one : json["handshakes"]) words.insert(one["finding"]);
    return words;
  }

  Process run_;
  Process server_;
  std::string address_;
};

TEST_F(WholeListener, IsGoodThenUnboundThenWithoutBroker) {
  Serve({"-cert", Reference("rsa"), "-key", Reference("rsa"), "-dcert", Reference("ec"), "-dkey",
         Reference("ec")});
  Json json = Check(0);
  EXPECT_EQ(json["handshakes"].size(), 4U);
  EXPECT_EQ(Findings(json), Words({"ok"})) << json;
  EXPECT_EQ(json["broker"], "ok");

  // The mechanisms of RSA go, so that the key is still this listener's.
  Text({"listener", "unbind", "https", kName});
  Text({"listener", "bind", "https", kName, "--mechanism", "CKM_ECDSA"});
  json = Check(1);
  EXPECT_EQ(Findings(json), Words({"ok", "broker-refused"})) << json;
  EXPECT_THAT(json["handshakes"][0]["text"].get<std::string>(), HasSubstr("CKM_RSA_PKCS_PSS"));

  EXPECT_EQ(run_.Stop(), 0);
  json = Check(1);
  EXPECT_EQ(Findings(json), Words({"broker-away"})) << json;
}

TEST_F(WholeListener, SignsHandshakesWithKeysThatCameBackFromTheirBackups) {
  Write("password", "correct horse battery staple\n", 0600);
  std::filesystem::create_directory(File("safe"));
  const Arguments password = {"--password-file", File("password")};
  Arguments all = {"backup", "export", kName, "-o", File("safe")};
  all.insert(all.end(), password.begin(), password.end());
  Text(all);
  for (const char* type : {"rsa", "ec"}) Text({"key", "delete", kName, "--type", type, "--yes"});
  for (const auto& entry : std::filesystem::directory_iterator(File("safe"))) {
    Arguments restore = {"backup", "restore", entry.path()};
    restore.insert(restore.end(), password.begin(), password.end());
    Text(restore);
  }
  Serve({"-cert", Reference("rsa"), "-key", Reference("rsa"), "-dcert", Reference("ec"), "-dkey",
         Reference("ec")});
  const Json json = Check(0);
  EXPECT_EQ(json["handshakes"].size(), 4U);
  EXPECT_EQ(Findings(json), Words({"ok"})) << json;
  EXPECT_EQ(json["broker"], "ok");
}

TEST_F(WholeListener, OfAServerWithOneKey) {
  Serve({"-cert", Reference("ec"), "-key", Reference("ec")});
  Json json = Check(1);
  EXPECT_EQ(Findings(json), Words({"ok", "refused"})) << json;
  EXPECT_THAT(json["handshakes"][0]["text"].get<std::string>(),
              AllOf(HasSubstr("it has no rsa key"), HasSubstr("unsupported")));
  EXPECT_EQ(Findings(Check(0, {"--for", "nnrpd"})), Words({"ok", "one-key"}));
}

// A copy of the key answers rightly, and the broker has not signed.
TEST_F(WholeListener, OfAServerThatDoesNotAskTheBrokerOfThisListener) {
  Text({"listener", "add", "smtp", "--user", std::to_string(::getuid()), "--mode", "0666"});
  Text({"listener", "bind", "smtp", kName});
  Text({"reference", "write", kName, "--type", "ec", "--listener", "smtp", "-o", File("ec.pem")});
  Serve({"-cert", File("ec.pem"), "-key", File("ec.pem")});
  const Json json = Check(1, {"--type", "ec"});
  EXPECT_EQ(Findings(json), Words({"ok"})) << json;
  EXPECT_EQ(json["broker"], "not-through-broker");
  EXPECT_THAT(json["broker_text"].get<std::string>(), HasSubstr("socket of another listener"));
}

}  // namespace
}  // namespace keybroker::cli::test
