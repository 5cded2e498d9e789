#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include "unit/cli/program/host.h"

namespace keybroker::cli::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kNames[] = "DNS:mail.example.test,DNS:imap.example.test";

class CertificateCommand : public Host {
 protected:
  void Make() override {
    Host::Make();
    InitToken();
    MakeCa();
    Text({"key", "generate", kName});
    Text({"request", "create", kName, "--dns", "imap.example.test", "-o", File("mail.csr")});
  }

  keybroker::test::Arguments Install(const std::string& file) const {
    return {"certificate", "install", kName, File(file), "--ca", File("ca.pem")};
  }
};

TEST_F(CertificateCommand, RequestsVerifyWithOpenSsl) {
  OpenSsl({"req", "-in", File("mail.csr"), "-noout", "-verify"});
  const auto shown =
      keybroker::test::RunCommand({"openssl", "req", "-in", File("mail.csr"), "-noout", "-text"});
  EXPECT_THAT(shown.out, AllOf(HasSubstr("DNS:mail.example.test, DNS:imap.example.test"),
                               HasSubstr("CN = mail.example.test")));
}

TEST_F(CertificateCommand, RequestsComeAsDerToo) {
  Text({"request", "create", kName, "--der", "-o", File("mail.der")});
  OpenSsl({"req", "-in", File("mail.der"), "-inform", "DER", "-noout", "-verify"});
  EXPECT_THAT(Text({"request", "create", kName}), StartsWith("-----BEGIN CERTIFICATE REQUEST"));
}

TEST_F(CertificateCommand, RequestsReplaceRequestsOnly) {
  Text({"request", "create", kName, "--der", "-o", File("mail.csr")});
  EXPECT_THAT(Text({"request", "create", kName, "-o", File("mail.csr")}),
              HasSubstr("next: have a CA sign it, then: keybroker certificate install " +
                        std::string(kName) + " FILE"));
  Write("precious", "-----BEGIN PRIVATE KEY-----\n");
  EXPECT_THAT(Fails({"request", "create", kName, "-o", File("precious")}),
              HasSubstr("is no certificate request"));
  EXPECT_EQ(Read("precious"), "-----BEGIN PRIVATE KEY-----\n");
  EXPECT_THAT(Fails({"request", "create", kName, "-o", "/dev/null"}), HasSubstr("/dev/null"));
  EXPECT_THAT(Fails({"token", "probe", "-o", "/dev/null"}), HasSubstr("no regular file"));
}

TEST_F(CertificateCommand, RequestsForEveryKindOfKeyVerify) {
  const std::vector<keybroker::test::Arguments> kinds = {
      {"--type", "rsa"}, {"--curve", "P-384"}, {"--curve", "P-521"}};
  int number = 0;
  for (const auto& kind : kinds) {
    const std::string name = "k" + std::to_string(number++) + ".test";
    keybroker::test::Arguments generate = {"key", "generate", name};
    generate.insert(generate.end(), kind.begin(), kind.end());
    Text(generate);
    Text({"request", "create", name, "-o", File("k.csr")});
    OpenSsl({"req", "-in", File("k.csr"), "-noout", "-verify"});
  }
}

TEST_F(CertificateCommand, RequestsRefuseBadNames) {
  EXPECT_THAT(Fails({"request", "create", kName, "--dns", "Bad_Name"}), HasSubstr("Bad_Name"));
  EXPECT_THAT(Fails({"request", "create", kName, "--subject", "no name"}),
              HasSubstr("not a distinguished name"));
}

TEST_F(CertificateCommand, InstallsAndShowsWhatTheCaSigned) {
  Sign("mail.csr", kNames, "mail.crt");
  Text(Install("mail.crt"));
  const Json json = Answer({"key", "show", kName});
  EXPECT_EQ(json["keys"][0]["certificate"]["issuer"], "CN=Test CA");
  const Json shown = Answer({"certificate", "show", kName});
  ASSERT_EQ(shown["certificates"].size(), 1U);
  EXPECT_EQ(shown["certificates"][0]["chain"][0]["dns_names"],
            Json({"mail.example.test", "imap.example.test"}));
}

TEST_F(CertificateCommand, ReplacesACertificate) {
  Sign("mail.csr", kNames, "mail.crt");
  Text(Install("mail.crt"));
  Sign("mail.csr", "DNS:mail.example.test", "second.crt");
  Text(Install("second.crt"));
  const Json shown = Answer({"certificate", "show", kName});
  EXPECT_EQ(shown["certificates"][0]["chain"][0]["dns_names"], Json({"mail.example.test"}));
}

TEST_F(CertificateCommand, SaysWhichKeyACertificateFits) {
  Text({"key", "generate", "www.example.test"});
  Text({"request", "create", "www.example.test", "-o", File("www.csr")});
  Sign("www.csr", kNames, "www.crt");
  EXPECT_THAT(Fails(Install("www.crt")),
              AllOf(HasSubstr("its public key is that of www.example.test"),
                    HasSubstr(Id("www.example.test", "ec"))));
  EXPECT_THAT(Fails(Install("ca.pem")), HasSubstr("fits no key on the token"));
}

TEST_F(CertificateCommand, RefusesOneForAnotherName) {
  Sign("mail.csr", "DNS:www.example.test", "mail.crt");
  EXPECT_THAT(Fails(Install("mail.crt")),
              AllOf(HasSubstr("not for mail.example.test"), HasSubstr("www.example.test")));
}

TEST_F(CertificateCommand, RefusesAnIncompleteChainAndOneOutOfOrder) {
  Sign("mail.csr", kNames, "mail.crt");
  EXPECT_THAT(Fails({"certificate", "install", kName, File("mail.crt")}),
              AllOf(HasSubstr("incomplete"), HasSubstr("--allow-incomplete")));
  Write("wrong.pem", Read("ca.pem") + Read("mail.crt"));
  EXPECT_THAT(Fails(Install("wrong.pem")),
              AllOf(HasSubstr("out of order"), HasSubstr("certificate 2")));
  EXPECT_TRUE(Answer({"key", "show", kName})["keys"][0]["certificate"].is_null());
}

TEST_F(CertificateCommand, RefusesOneThatHasEndedOrNotBegunAndKeepsTheOldOne) {
  Sign("mail.csr", kNames, "mail.crt");
  Text(Install("mail.crt"));
  const Json before = Answer({"certificate", "show", kName});
  SignBetween("mail.csr", "20200101000000Z", "20210101000000Z", "old.crt");
  EXPECT_THAT(Fails(Install("old.crt")),
              AllOf(HasSubstr("expired at 2021-01-01T00:00:00Z"), HasSubstr("ask the CA")));
  SignBetween("mail.csr", "20480101000000Z", "20490101000000Z", "new.crt");
  EXPECT_THAT(Fails(Install("new.crt")), AllOf(HasSubstr("not valid before 2048-01-01T00:00:00Z"),
                                               HasSubstr("this host's clock")));
  EXPECT_EQ(Answer({"certificate", "show", kName}), before);
}

// One certificate cannot tell "out of order" from "incomplete": this chain has an intermediate.
TEST_F(CertificateCommand, TellsAChainOutOfOrderFromAnIncompleteOne) {
  OpenSsl({"req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
           File("middle.key"), "-out", File("middle.csr"), "-subj", "/CN=Test Intermediate"});
  Write("is-ca", "basicConstraints=critical,CA:TRUE\n");
  OpenSsl({"x509", "-req", "-in", File("middle.csr"), "-CA", File("ca.pem"), "-CAkey",
           File("ca.key"), "-CAcreateserial", "-days", "30", "-extfile", File("is-ca"), "-out",
           File("middle.pem")});
  Write("names", "subjectAltName=" + std::string(kNames) + "\n");
  OpenSsl({"x509", "-req", "-in", File("mail.csr"), "-CA", File("middle.pem"), "-CAkey",
           File("middle.key"), "-CAcreateserial", "-days", "30", "-extfile", File("names"), "-out",
           File("mail.crt")});
  const std::string leaf = Read("mail.crt");
  const std::string middle = Read("middle.pem");
  Write("no-middle.pem", leaf + Read("ca.pem"));
  EXPECT_THAT(Fails(Install("no-middle.pem")),
              AllOf(HasSubstr("incomplete"), HasSubstr("issued by \"CN=Test Intermediate\"")));
  Write("root-between.pem", leaf + Read("ca.pem") + middle);
  EXPECT_THAT(Fails(Install("root-between.pem")),
              AllOf(HasSubstr("out of order"), HasSubstr("must come right after it")));
  Write("leaf-last.pem", middle + leaf);
  EXPECT_THAT(Fails(Install("leaf-last.pem")),
              AllOf(HasSubstr("out of order"), HasSubstr("must come first")));
  EXPECT_TRUE(Answer({"key", "show", kName})["keys"][0]["certificate"].is_null());
  Write("good.pem", leaf + middle);
  Text(Install("good.pem"));
}

TEST_F(CertificateCommand, RefusesAFileWithoutACertificate) {
  EXPECT_THAT(Fails(Install("mail.csr")), HasSubstr("no certificate in it"));
  EXPECT_THAT(Fails(Install("missing.crt")), HasSubstr("no such file"));
}

TEST_F(CertificateCommand, WritesReferencesWithoutAPin) {
  Sign("mail.csr", kNames, "mail.crt");
  Text(Install("mail.crt"));
  Text({"listener", "add", "smtp", "--user", "root"});
  std::filesystem::remove(File("token/pin"));
  Text({"reference", "write", kName, "--listener", "smtp", "-o", File("ref.pem")});
  EXPECT_THAT(Read("ref.pem"), AllOf(StartsWith("-----BEGIN PRIVATE KEY-----\n"),
                                     HasSubstr("-----BEGIN CERTIFICATE-----\n")));
  Text({"reference", "write", kName, "--format", "provider", "--no-chain", "-o", File("uri.pem")});
  EXPECT_THAT(Read("uri.pem"), AllOf(StartsWith("-----BEGIN PKCS#11 PROVIDER URI-----\n"),
                                     Not(HasSubstr("CERTIFICATE"))));
  EXPECT_THAT(Fails({"reference", "write", kName, "--listener", "imap"}),
              AllOf(HasSubstr("no listener \"imap\""), HasSubstr("smtp")));
}

TEST_F(CertificateCommand, LeavesTheOldFileOnAFullDisk) {
  if (::getuid() != 0) GTEST_SKIP() << "*** needs root, to mount a small file system";
  std::filesystem::create_directory(File("small"));
  ASSERT_EQ(::mount("tmpfs", File("small").c_str(), "tmpfs", 0, "size=16k"), 0);
  Write("small/ref.pem", "old");
  Write("small/rest", std::string(65536, 'x'));  // as much of it as there is room for
  const std::string error = Fails({"reference", "write", kName, "-o", File("small/ref.pem")});
  EXPECT_EQ(Read("small/ref.pem"), "old");
  ::umount(File("small").c_str());
  EXPECT_THAT(error, HasSubstr("No space left on device"));
}

}  // namespace
}  // namespace keybroker::cli::test
