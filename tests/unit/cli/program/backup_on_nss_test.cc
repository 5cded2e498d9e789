// The life of an exportable key on NSS softoken, which wraps by AES-256-CBC too: what opens in NSS,
// Java and GnuTLS comes back onto the token.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "unit/cli/program/backup_host.h"

namespace keybroker::cli::test {
namespace {

using keybroker::test::Arguments;
using ::testing::AllOf;
using ::testing::HasSubstr;

class BackupOnNss : public BackupHost {
 protected:
  void Make() override {
    Host::Make();  // NOLINT(bugprone-parent-virtual-call): its token is another
    InitNssToken();
    MakeSafe();
    MakeCa();
    Key(kName, "rsa");
    Key(kName, "ec");
  }

  // Export makes a backup by the encryption, and gives its file.
  std::string ExportBy(const std::string& encryption, const std::string& type) const {
    const Json made = Answer(With({"backup", "export", kName, "--type", type, "--encryption",
                                   encryption, "-o", File("safe")}));
    return made["backups"][0]["file"];
  }

  // ExpectRestored takes the key away and brings it back from file.
  void ExpectRestored(const std::string& file, const std::string& type) const {
    const std::string id = Id(kName, type);
    const std::string spki = Spki(kName, type);
    Text({"key", "delete", kName, "--type", type, "--yes"});
    const Json made = Answer(With({"backup", "restore", file}));
    EXPECT_EQ(made["present"], false);
    EXPECT_EQ(made["key"]["exportable"], false);
    EXPECT_EQ(Id(kName, type), id);
    EXPECT_EQ(Spki(kName, type), spki);
    Text({"request", "create", kName, "--type", type, "-o", File("again.csr")});
    OpenSsl({"req", "-in", File("again.csr"), "-noout", "-verify"});
    EXPECT_THAT(Run(With({"backup", "restore", file})).out, HasSubstr("nothing on it was changed"));
  }
};

TEST_F(BackupOnNss, IsPortableWhereAskedForAndRestores) {
  for (const std::string type : {"rsa", "ec"}) {
    const std::string file = ExportBy("cbc", type);
    EXPECT_THAT(Text({"backup", "inspect", file}), HasSubstr("aes256-cbc"));
    Text(With({"backup", "verify", file}));
    const Json drill = Answer(With({"drill", file, "--token", "main"}));
    EXPECT_EQ(drill["results"][0]["good"], true);
    EXPECT_THAT(drill["token"].get<std::string>(), HasSubstr("Mozilla"));
    ExpectRestored(file, type);
  }
}

TEST_F(BackupOnNss, IsWrappedByRfc5649Too) {
  const std::string file = ExportBy("key-wrap", "ec");
  EXPECT_THAT(Text({"backup", "inspect", file}), HasSubstr("aes256-wrap-pad"));
  // A site drills on a SoftHSM, whatever made the backup.
  for (const char* level : {"2", "3"}) {
    EXPECT_EQ(Answer(With({"drill", file, "--level", level}))["results"][0]["good"], true);
  }
  ExpectRestored(file, "ec");
}

TEST_F(BackupOnNss, TellsWhereAScratchTokenDoesNotUnwrapIt) {
  const std::string file = ExportBy("cbc", "ec");
  const std::string record = "state/operator/backups/" + Id(kName, "ec") + ".json";
  const std::string before = Read(record);
  const auto drilled = Run(With({"drill", file}));
  EXPECT_THAT(drilled.out + drilled.err, HasSubstr("--token"));
  EXPECT_EQ(Read(record), before);  // it was not tried, so it is not refuted
}

// NSS softoken keeps CKA_EXTRACTABLE false and wraps the key all the same: that is said, not
// hidden.
TEST_F(BackupOnNss, IsSealedAsFarAsTheTokenGoes) {
  ExportBy("cbc", "rsa");
  const auto sealed = Run({"--json", "key", "seal", kName, "--type", "rsa", "--yes"});
  EXPECT_EQ(sealed.status, 1);
  const Json said = Json::parse(sealed.out);
  EXPECT_EQ(said["enforced"], false);
  EXPECT_EQ(said["key"]["exportable"], false);
  EXPECT_THAT(said["evidence"].get<std::string>(),
              AllOf(HasSubstr("CKA_EXTRACTABLE reads false"), HasSubstr("C_WrapKey")));
  EXPECT_THAT(Fails(With({"backup", "export", kName, "--type", "rsa", "-o", File("safe")})),
              HasSubstr("sealed"));
}

}  // namespace
}  // namespace keybroker::cli::test
