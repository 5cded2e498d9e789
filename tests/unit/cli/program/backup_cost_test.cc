// What guessing a backup's password costs is the administrator's, down to a floor.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "keybroker/base/kdf_floor.h"
#include "unit/cli/program/backup_host.h"

namespace keybroker::cli::test {
namespace {

using ::testing::HasSubstr;

class BackupCost : public BackupHost {
 protected:
  void Configure(uint32_t iterations) const {
    std::string text = Read("etc/keybroker.toml");
    const size_t at = text.find("\niterations = ");
    ASSERT_NE(at, std::string::npos);
    text.replace(at, text.find('\n', at + 1) - at, "\niterations = " + std::to_string(iterations));
    Write("etc/keybroker.toml", text);
  }
};

TEST_F(BackupCost, IsWhatTheAdministratorSays) {
  Configure(kKdfFloor + 1234);
  const std::string file = Export("ec");
  const Json backup = Answer({"backup", "inspect", file})["backup"];
  EXPECT_EQ(backup["kdf_iterations"], kKdfFloor + 1234);
  EXPECT_EQ(backup["mac_iterations"], 2 * (kKdfFloor + 1234));
  Text(With({"backup", "verify", file}));
  OpenSsl({"pkcs12", "-in", file, "-nodes", "-passin", "file:" + File("password").string(), "-out",
           File("plain.pem")});
}

TEST_F(BackupCost, IsNeverLessThanTheFloor) {
  Configure(kKdfFloor - 1);
  EXPECT_THAT(Run(With({"backup", "export", kName, "-o", File("safe")})).err,
              HasSubstr("iterations"));
  EXPECT_TRUE(std::filesystem::is_empty(File("safe")));
}

}  // namespace
}  // namespace keybroker::cli::test
