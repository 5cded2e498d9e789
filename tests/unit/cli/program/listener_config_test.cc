#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "unit/cli/program/host.h"

namespace keybroker::cli::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kRsaId[] = "1111111111111111111111111111111111111111";
constexpr char kEcId[] = "2222222222222222222222222222222222222222";

class ListenerConfigCommand : public Host {
 protected:
  void Make() override {
    Host::Make();
    Write("etc/current.toml",
          std::string("[\"") + kName + "\"]\nrsa = \"" + kRsaId + "\"\nec = \"" + kEcId + "\"\n");
    Text({"listener", "add", "smtp", "--user", "root"});
    Text({"listener", "bind", "smtp", kName});
  }

  keybroker::test::Arguments Config(keybroker::test::Arguments more) const {
    keybroker::test::Arguments all = {"listener", "config", "smtp"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
};

TEST_F(ListenerConfigCommand, PrintsWhatItWouldWrite) {
  const Json json = Answer(Config({"--for", "postfix", "--write", File("out")}));
  ASSERT_EQ(json["files"].size(), 4U);
  std::string printed = Text(Config({"--for", "postfix"}));
  for (const auto& file : json["files"]) {
    const std::string name = file["name"];
    EXPECT_EQ(file["result"], "wrote");
    EXPECT_EQ(Read("out/" + name), file["text"]);
    EXPECT_THAT(printed, HasSubstr("# file: " + File("etc/listeners/smtp/" + name).string()));
    struct stat info {};
    ASSERT_EQ(::stat(File("out/" + name).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0644U);
  }
  EXPECT_FALSE(std::filesystem::exists(File("etc/listeners/smtp")));
  EXPECT_THAT(Read("out/postfix.conf"),
              HasSubstr("tls_config_file = " + File("out/openssl.cnf").string() + "\n"));
}

// The reference is the very one that `reference write` makes.
TEST_F(ListenerConfigCommand, WritesTheReferencesOfReferenceWrite) {
  Text(Config({"--for", "nginx", "--write", File("out")}));
  Text({"reference", "write", kName, "--type", "ec", "--listener", "smtp", "-o", File("ec.pem")});
  EXPECT_EQ(Read("out/mail.example.test.ec.pem"), Read("ec.pem"));
}

TEST_F(ListenerConfigCommand, SaysWhatItReplacedAndLeavesTheSameAlone) {
  Text(Config({"--for", "nginx", "--write", File("out")}));
  Write("etc/current.toml",
        std::string("[\"") + kName + "\"]\nrsa = \"" + kRsaId + "\"\nec = \"" + kRsaId + "\"\n");
  std::map<std::string, std::string> results;
  const Json json = Answer(Config({"--for", "nginx", "--write", File("out")}));
  for (const auto& file : json["files"]) {
    results[file["name"]] = file["result"];
  }
  EXPECT_EQ(results["mail.example.test.rsa.pem"], "unchanged");
  EXPECT_EQ(results["mail.example.test.ec.pem"], "replaced");
  EXPECT_EQ(results["nginx.conf"], "unchanged");
}

// Neither a private key nor a server's own configuration is ever replaced.
TEST_F(ListenerConfigCommand, NeverReplacesAFileThatIsNotKeybrokers) {
  std::filesystem::create_directory(File("out"));
  OpenSsl({"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out",
           File("out/mail.example.test.ec.pem")});
  const std::string key = Read("out/mail.example.test.ec.pem");
  EXPECT_THAT(Fails(Config({"--for", "nginx", "--write", File("out")})),
              AllOf(HasSubstr("mail.example.test.ec.pem was not made by keybroker"),
                    HasSubstr("nothing was written")));
  EXPECT_EQ(Read("out/mail.example.test.ec.pem"), key);
  EXPECT_FALSE(std::filesystem::exists(File("out/openssl.cnf")));
  std::filesystem::create_directory(File("nginx"));
  Write("nginx/nginx.conf", "events {}\n");
  EXPECT_THAT(Fails(Config({"--for", "nginx", "--write", File("nginx")})),
              HasSubstr("nginx.conf was not made by keybroker"));
  EXPECT_EQ(Read("nginx/nginx.conf"), "events {}\n");
}

TEST_F(ListenerConfigCommand, ChoosesByTypeAndKey) {
  const Json ec = Answer(Config({"--for", "stunnel", "--type", "ec"}));
  EXPECT_EQ(ec["types"], Json({"ec"}));
  Write("etc/current.toml", Read("etc/current.toml") + "[\"www.example.test\"]\nec = \"33\"\n");
  Text({"listener", "bind", "smtp", "www.example.test"});
  EXPECT_THAT(Misused(Config({"--for", "nginx"})),
              AllOf(HasSubstr("mail.example.test, www.example.test"), HasSubstr("--key")));
  const Json www = Answer(Config({"--for", "nginx", "--key", "www.example.test"}));
  EXPECT_EQ(www["types"], Json({"ec"}));
}

TEST_F(ListenerConfigCommand, SaysWhatIsMissing) {
  EXPECT_THAT(Misused(Config({"--for", "sendmail"})), HasSubstr("nginx|apache"));
  EXPECT_THAT(Fails(Config({"--for", "nginx", "--key", "www.example.test"})),
              HasSubstr("keybroker listener bind smtp www.example.test"));
  EXPECT_THAT(Fails(Config({"--for", "nginx", "--write", File("a b")})),
              HasSubstr("cannot stand in every server's configuration"));
  EXPECT_EQ(Run({"listener", "config", "smtp"}).status, 2);
  const auto notes = Run(Config({"--for", "postfix", "--module", "/nowhere/module.so"})).err;
  EXPECT_THAT(notes, AllOf(HasSubstr("no certificate is installed for mail.example.test (rsa)"),
                           HasSubstr("has no jail"), HasSubstr("/nowhere/module.so is missing")));
  Text({"listener", "bind", "smtp", "new.example.test", "--type", "ec"});
  EXPECT_THAT(Run(Config({"--for", "postfix"})).err,
              HasSubstr("left out: new.example.test (ec) is bound"));
  EXPECT_THAT(Run(Config({"--for", "postfix", "--type", "rsa"})).err, Not(HasSubstr("left out")));
  std::filesystem::remove(File("etc/current.toml"));
  EXPECT_THAT(Fails(Config({"--for", "nginx"})), HasSubstr("keybroker key generate"));
}

TEST_F(ListenerConfigCommand, WritesForTheProvider) {
  Text(Config({"--for", "nginx", "--provider", "--write", File("out")}));
  EXPECT_THAT(Read("out/mail.example.test.rsa.pem"),
              StartsWith("-----BEGIN PKCS#11 PROVIDER URI-----\n"));
  EXPECT_THAT(Read("out/openssl.cnf"), AllOf(HasSubstr("providers = "), Not(HasSubstr("engine"))));
  // Back to the engine: the files are ours, and are replaced.
  Text(Config({"--for", "nginx", "--write", File("out")}));
  EXPECT_THAT(Read("out/mail.example.test.rsa.pem"), StartsWith("-----BEGIN PRIVATE KEY-----\n"));
}

}  // namespace
}  // namespace keybroker::cli::test
