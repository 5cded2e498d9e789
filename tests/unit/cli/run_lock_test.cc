#include "cli/run_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/temp_dir.h"

namespace keybroker::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Whoever is not root: root itself becomes somebody else for as long as the test wants.
class Unprivileged {
 public:
  Unprivileged() : was_root_(::geteuid() == 0) {
    if (was_root_) {
      EXPECT_EQ(::seteuid(65534), 0);
    }
  }
  ~Unprivileged() {
    if (was_root_) {
      EXPECT_EQ(::seteuid(0), 0);
    }
  }

 private:
  const bool was_root_;
};

TEST(RunLock, SaysWhatAUserDoesWhoMayNotTakeIt) {
  const test::TempDir dir;
  ASSERT_EQ(::chmod(dir.path().c_str(), 0755), 0);
  config::Settings settings;
  settings.state_dir = dir.path();
  settings.runtime_dir = dir / "run";
  std::filesystem::create_directory(settings.OperatorStateDir());
  ASSERT_EQ(::chmod(settings.OperatorStateDir().c_str(), 0500), 0);
  const Unprivileged unprivileged;
  const auto lock = TakeRunLock(settings);
  ASSERT_FALSE(lock);
  EXPECT_EQ(lock.error().code, ErrorCode::kDenied);
  EXPECT_THAT(lock.error().detail,
              AllOf(HasSubstr("run.lock: permission denied"), HasSubstr("Run this as root"),
                    HasSubstr("--config whose state_dir")));
}

}  // namespace
}  // namespace keybroker::cli
