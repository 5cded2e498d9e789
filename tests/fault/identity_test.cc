#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <functional>
#include <sstream>

#include "keybroker/base/process.h"
#include "support/pkcs11_client.h"
#include "support/stack.h"

namespace keybroker::test {
namespace {

// Runs body in a process of its own; true when it returns success there.
bool InChild(const std::function<Status()>& body) {
  pid_t child = fork();
  if (child == 0) {
    Status status = body();
    if (!status) std::fprintf(stderr, "in the child: %s\n", status.error().detail.c_str());
    _exit(status ? 0 : 1);
  }
  int wait_status = -1;
  waitpid(child, &wait_status, 0);
  return wait_status == 0;
}

// UidOf is a process's effective uid.
uid_t UidOf(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);) {
    std::istringstream fields(line);
    std::string name;
    uid_t real = 0;
    uid_t effective = 0;
    if (fields >> name >> real >> effective && name == "Uid:") return effective;
  }
  return static_cast<uid_t>(-1);
}

// What a root-started daemon's worker does after it was started: nobody's ids for good.
Status BecomeNobody() {
  KB_ASSIGN(User nobody, FindUser("nobody"));
  return BecomeUser(nobody);
}

Status ExpectRefused(const Status& status) {
  if (status) return Fail(Internal("signed, and should have been refused"));
  return status.error().rv == CKR_FUNCTION_REJECTED
             ? Status{}
             : Fail(Internal("refused in another way: " + status.error().detail));
}

class Identity : public testing::Test {
 protected:
  void SetUp() override {
    if (getuid() != 0) GTEST_SKIP() << "changing users needs root: this test did NOT run";
  }

  void MakeStack(const StackListener& listener) {
    StackOptions options;
    options.listeners = {listener};
    auto stack = Stack::Make(options);
    ASSERT_TRUE(stack) << stack.error().detail;
    stack_ = std::move(*stack);
    target_ = stack_->ModuleTarget(listener.name, "ec");
  }

  std::unique_ptr<Stack> stack_;
  Target target_;
};

TEST_F(Identity, AWorkerIsJudgedByTheUidItHasNowAndNotAtConnect) {
  MakeStack({"https", {"root"}, {}, true});
  EXPECT_TRUE(InChild([this]() -> Status {
    KB_ASSIGN(auto client, Pkcs11Client::Open(target_));
    KB_TRY(client.Sign());
    KB_TRY(BecomeNobody());
    return ExpectRefused(client.Sign());
  }));
}

TEST_F(Identity, AWorkerThatMayAskGoesOnAfterItGaveUpRoot) {
  MakeStack({"https", {"root", "nobody"}, {}, true});
  EXPECT_TRUE(InChild([this]() -> Status {
    KB_ASSIGN(auto client, Pkcs11Client::Open(target_));
    KB_TRY(client.Sign());
    KB_TRY(BecomeNobody());
    return client.Sign();
  }));
}

TEST_F(Identity, AForkedWorkerThatGaveUpRootSignsOnAConnectionOfItsOwn) {
  MakeStack({"https", {"root", "nobody"}, {}, true});
  EXPECT_TRUE(InChild([this]() -> Status {
    KB_ASSIGN(auto client, Pkcs11Client::Open(target_));
    KB_TRY(client.Sign());
    for (int i = 0; i < 3; ++i) {
      bool worked = InChild([&client]() -> Status {
        KB_TRY(BecomeNobody());
        KB_TRY(client.Sign());
        return client.Sign();
      });
      if (!worked) return Fail(Internal("a forked worker did not sign"));
    }
    return client.Sign();
  }));
}

TEST_F(Identity, AProcessOfAnotherUserIsRefused) {
  MakeStack({"https", {"root"}, {}, true});
  EXPECT_TRUE(InChild([this]() -> Status {
    KB_TRY(BecomeNobody());
    auto client = Pkcs11Client::Open(target_);
    return client ? Fail(Internal("it sees the key")) : Status{};
  }));
  // The operator can see who it was, and why.
  const CommandResult shown = stack_->Cli({"audit", "show", "--last", "1"});
  EXPECT_THAT(shown.out, testing::AllOf(testing::HasSubstr("user-not-allowed"),
                                        testing::HasSubstr("https"), testing::HasSubstr("65534")));
  EXPECT_TRUE(InChild([this]() -> Status {
    KB_ASSIGN(auto allowed, Pkcs11Client::Open(target_));
    return allowed.Sign();
  })) << "and nobody else suffers";
}

TEST_F(Identity, BrokerAndTokenhostRunAsUsersOfTheirOwn) {
  MakeStack({"https", {"root"}, {}, true});
  EXPECT_EQ(UidOf(stack_->BrokerPid()), FindUser("keybroker")->uid);
  EXPECT_EQ(UidOf(stack_->TokenhostPid()), FindUser("keybroker-token")->uid);
}

TEST_F(Identity, AWorkerInAJailSignsThroughTheSocketThere) {
  char jail[] = "/tmp/kbj-XXXXXX";
  ASSERT_NE(mkdtemp(jail), nullptr);
  ASSERT_EQ(chmod(jail, 0755), 0);
  MakeStack({"smtp", {"root", "nobody"}, {jail}, true});
  EXPECT_TRUE(InChild([&]() -> Status {
    KB_ASSIGN(auto client, Pkcs11Client::Open(target_));
    KB_TRY(client.Sign());
    KB_ASSIGN(User nobody, FindUser("nobody"));  // the jail has no passwd file
    if (chroot(jail) != 0 || chdir("/") != 0) return Fail(SystemError("chroot", errno));
    KB_TRY(BecomeUser(nobody));
    KB_TRY(client.Sign());
    // The fork has to connect anew, and what it can reach is the socket in the jail.
    bool worked = InChild([&client] { return client.Sign(); });
    return worked ? Status{} : Fail(Internal("a fork in the jail did not sign"));
  }));
  EXPECT_TRUE(stack_->Stop());
  std::filesystem::remove_all(jail);
}

}  // namespace
}  // namespace keybroker::test
