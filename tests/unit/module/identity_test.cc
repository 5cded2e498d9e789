#include <sys/stat.h>
#include <unistd.h>

#include "support/module_fixture.h"

namespace keybroker::module {
namespace {

using test::InChild;

constexpr uid_t kNobody = 65534;

// A daemon that starts as root, signs, and then gives its rights up.
class Identity : public test::ModuleTest {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "NOT TESTED: changing uid and root needs root";
    Start({key_});
  }
  void FindKey() {
    session_ = Open();
    handle_ = PrivateKey(session_, key_);
  }
  CK_RV SignNow() { return SignDigest(session_, handle_).rv; }

  const test::FakeKey key_ = test::EcKey("a.example.test", 1);
  CK_SESSION_HANDLE session_ = CK_INVALID_HANDLE;
  CK_OBJECT_HANDLE handle_ = CK_INVALID_HANDLE;
};

TEST_F(Identity, ThatChangedIsSeenOnTheSameConnection) {
  InChild([this] {
    FindKey();
    EXPECT_EQ(SignNow(), CKR_OK);
    ASSERT_EQ(::setresgid(kNobody, kNobody, kNobody), 0);
    ASSERT_EQ(::setresuid(kNobody, kNobody, kNobody), 0);
    EXPECT_EQ(SignNow(), CKR_OK) << "the socket's folder is closed to it, the connection is not";
  });
  EXPECT_EQ(broker_.connections(), 1u);
  EXPECT_EQ(broker_.Last().uid, kNobody) << "each message is judged by its sender of now";
}

TEST_F(Identity, ThatMayNotReachTheSocketHasNoBroker) {
  InChild([this] {
    FindKey();
    EXPECT_EQ(SignNow(), CKR_OK);
    ASSERT_EQ(::setresuid(kNobody, kNobody, kNobody), 0);
    ASSERT_EQ(::close_range(3, ~0u, 0), 0);
    EXPECT_EQ(SignNow(), CKR_DEVICE_ERROR);
  });
}

TEST_F(Identity, GoesOnInAChroot) {
  const auto jail = dir_ / "jail";
  std::filesystem::create_directories(jail);
  InChild([this, &jail] {
    FindKey();
    EXPECT_EQ(SignNow(), CKR_OK);
    ASSERT_EQ(::chroot(jail.c_str()), 0);
    ASSERT_EQ(::chdir("/"), 0);
    EXPECT_EQ(SignNow(), CKR_OK) << "on the connection from before";
    ASSERT_EQ(::close_range(3, ~0u, 0), 0) << "no directory was kept: it would lead out";
    EXPECT_EQ(SignNow(), CKR_DEVICE_ERROR) << "nobody listens in this jail";
  });
}

// The broker listens at the same path inside the jail.
TEST_F(Identity, FindsTheBrokerInsideTheJail) {
  const auto jail = dir_ / "jail";
  test::FakeBroker inside(jail / socket_.relative_path());
  inside.SetKeys({key_});
  inside.Start();
  InChild([this, &jail] {
    FindKey();
    EXPECT_EQ(SignNow(), CKR_OK);
    ASSERT_EQ(::chroot(jail.c_str()), 0);
    ASSERT_EQ(::chdir("/"), 0);
    ASSERT_EQ(::close_range(3, ~0u, 0), 0);
    EXPECT_EQ(SignNow(), CKR_OK);
  });
  EXPECT_EQ(inside.signs(), 1u);
  EXPECT_EQ(broker_.signs(), 1u);
}

}  // namespace
}  // namespace keybroker::module
