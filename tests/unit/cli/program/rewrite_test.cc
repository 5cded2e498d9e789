// What follows a new certificate or another current key: the command that each bound listener
// needs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "unit/cli/program/host.h"

namespace keybroker::cli::test {
namespace {

using keybroker::test::Arguments;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class Rewrite : public Host {
 protected:
  void Make() override {
    Host::Make();
    InitToken();
    Text({"key", "generate", kName});
    MakeCa();
    Text({"request", "create", kName, "-o", File("mail.csr")});
    Sign("mail.csr", std::string("DNS:") + kName, "mail.crt");
  }

  void Bind(const std::string& listener) const {
    Text({"listener", "add", listener, "--user", "root"});
    Text({"listener", "bind", listener, kName});
  }

  std::string Install() const {
    return Text({"certificate", "install", kName, File("mail.crt"), "--ca", File("ca.pem")});
  }
  std::string Folder(const std::string& listener) const {
    return File("etc/listeners/" + listener).string();
  }
};

TEST_F(Rewrite, IsToldForEachBoundListenerWithTheKindItsFilesAreOf) {
  Bind("https");
  Bind("imap");
  Bind("smtp");
  Text({"listener", "config", "https", "--for", "nginx", "--write", Folder("https")});
  Text({"reference", "write", kName, "--listener", "imap"});
  EXPECT_THAT(
      Install(),
      AllOf(HasSubstr("next: keybroker listener config https --for nginx --write " +
                      Folder("https") + "\n"),
            HasSubstr("keybroker reference write mail.example.test --type ec --listener imap\n"),
            HasSubstr("keybroker listener config smtp --for KIND --write " + Folder("smtp") + "\n"),
            HasSubstr("reload these servers")));
}

TEST_F(Rewrite, OfAKeyThatNoListenerHasBeginsWithABinding) {
  EXPECT_THAT(Install(),
              AllOf(HasSubstr("next: keybroker listener bind LISTENER " + std::string(kName)),
                    Not(HasSubstr("reference write"))));
}

TEST_F(Rewrite, NamesTheKeyOfAListenerWithSeveral) {
  Bind("https");
  Text({"listener", "bind", "https", "other.example.test"});
  EXPECT_THAT(Install(), HasSubstr("--for KIND --key mail.example.test --write"));
}

TEST_F(Rewrite, WarnsOfACertificateThatHasExpiredSince) {
  Install();
  Bind("https");
  SignBetween("mail.csr", "20200101000000Z", "20200201000000Z", "old.crt");
  Write("etc/chains/" + std::string(kName) + ".ec." + Id(kName, "ec") + ".pem", Read("old.crt"));
  const auto written = Run({"reference", "write", kName, "-o", File("reference.pem")});
  EXPECT_EQ(written.status, 0);
  EXPECT_THAT(written.err, AllOf(HasSubstr("warning"), HasSubstr("expired at 2020-02-01")));
  EXPECT_THAT(Run({"listener", "config", "https", "--for", "nginx"}).err,
              HasSubstr("expired at 2020-02-01"));
}

TEST_F(Rewrite, IsNotNeededWhenTheCurrentKeyStaysTheSame) {
  Bind("https");
  Install();
  const std::string first = Id(kName, "ec");
  EXPECT_THAT(Text({"key", "current", kName}),
              AllOf(HasSubstr("is " + first + " already: nothing was changed"),
                    HasSubstr("--id chooses another"), Not(HasSubstr("next:"))));
  const Json made = Answer({"key", "generate", kName, "--new-generation"});
  const std::string second = made["key"]["id"];
  EXPECT_EQ(Answer({"key", "current", kName})["changed"], false);
  // The files written anew would leave the server without a certificate.
  EXPECT_THAT(Fails({"key", "current", kName, "--id", second}),
              AllOf(HasSubstr("nothing was changed"), HasSubstr("certificate install")));
  EXPECT_EQ(Id(kName, "ec"), first);
  EXPECT_THAT(Text({"key", "current", kName, "--id", second, "--without-certificate"}),
              AllOf(HasSubstr("is now " + second), HasSubstr("next: keybroker listener config")));
  EXPECT_EQ(Id(kName, "ec"), second);
}

TEST_F(Rewrite, WarnsOfAReferenceForAListenerThatMayNotSignWithTheKey) {
  Text({"listener", "add", "https", "--user", "root"});
  const Arguments write = {"reference", "write", kName, "--listener", "https"};
  EXPECT_THAT(Run(write).err,
              HasSubstr("keybroker listener bind https mail.example.test --type ec"));
  Text({"listener", "bind", "https", kName, "--type", "ec"});
  EXPECT_THAT(Run(write).err, Not(HasSubstr("listener bind")));
}

TEST_F(Rewrite, NamesTheDirectoryThatTheFilesWereLastWrittenTo) {
  Bind("https");
  for (const char* folder : {"first", "second"}) {
    Text({"listener", "config", "https", "--for", "generic-openssl", "--write", File(folder)});
  }
  const std::string command = "keybroker listener config https --for generic-openssl --write ";
  EXPECT_THAT(Install(), HasSubstr(command + File("second").string()));
  std::filesystem::remove_all(File("second"));
  EXPECT_THAT(Install(), HasSubstr(command + File("first").string()));
  Text({"listener", "remove", "https", "--yes"});
  EXPECT_FALSE(std::filesystem::exists(File("etc/listeners/https.directories")));
}

TEST_F(Rewrite, ConfigOfAServerWithoutAPortAsksForOneInItsCheck) {
  Bind("https");
  EXPECT_THAT(
      Text({"listener", "config", "https", "--for", "generic-openssl", "--write", Folder("https")}),
      HasSubstr("listener check https --for generic-openssl --connect HOST:PORT"));
  EXPECT_THAT(Text({"listener", "config", "https", "--for", "nginx", "--write", File("nginx")}),
              AllOf(HasSubstr("listener check https --for nginx"), Not(HasSubstr("--connect"))));
}

}  // namespace
}  // namespace keybroker::cli::test
