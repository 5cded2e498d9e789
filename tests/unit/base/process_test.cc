#include "keybroker/base/process.h"

#include <grp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <vector>

namespace keybroker {
namespace {

// Forked runs fn in a child and tells whether it returned true there.
template <typename Fn>
bool Forked(Fn fn) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(fn() ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  return status == 0;
}

const User kNobody{"nobody", 65534, 65534};

TEST(Process, IsHardenedAgainstDumpsAndNewPrivileges) {
  EXPECT_TRUE(Forked([] {
    if (!HardenProcess()) return false;
    rlimit core{};
    ::getrlimit(RLIMIT_CORE, &core);
    return ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 && core.rlim_cur == 0 && core.rlim_max == 0 &&
           ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
  }));
}

TEST(FindUser, KnowsNamesAndNumbers) {
  const auto root = FindUser("root");
  ASSERT_TRUE(root.has_value());
  EXPECT_EQ(root->uid, 0U);
  EXPECT_EQ(root->gid, 0U);
  EXPECT_EQ(FindUser("0")->name, "root");
  const auto stranger = FindUser("4000000001");
  ASSERT_TRUE(stranger.has_value());
  EXPECT_EQ(stranger->uid, 4000000001U);
  EXPECT_EQ(stranger->gid, 4000000001U);
  EXPECT_EQ(FindGroup("root").value(), 0U);
  EXPECT_EQ(FindGroup("4000000001").value(), 4000000001U);
}

TEST(FindUser, SaysWhoIsMissing) {
  for (const char* name : {"no-such-user", "", "-1", "4294967295", "4294967296", "12x"}) {
    const auto user = FindUser(name);
    ASSERT_FALSE(user.has_value()) << name;
    EXPECT_EQ(user.error().code, ErrorCode::kNotFound);
    EXPECT_EQ(user.error().detail, "there is no user \"" + std::string(name) + "\"");
    EXPECT_EQ(FindGroup(name).error().detail, "there is no group \"" + std::string(name) + "\"");
  }
}

TEST(BecomeUser, DoesNothingForTheUserItIs) {
  EXPECT_TRUE(Forked([] { return BecomeUser({"me", ::getuid(), ::getgid()}).has_value(); }));
}

TEST(BecomeUser, GivesUpRootForGood) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_TRUE(Forked([] {
    if (!BecomeUser(kNobody)) return false;
    uid_t uids[3];
    gid_t gids[3];
    ::getresuid(&uids[0], &uids[1], &uids[2]);
    ::getresgid(&gids[0], &gids[1], &gids[2]);
    std::vector<gid_t> groups(64);
    const int count = ::getgroups(64, groups.data());
    groups.resize(count < 0 ? 0 : static_cast<size_t>(count));
    return std::set<uid_t>(uids, uids + 3) == std::set<uid_t>{65534} &&
           std::set<gid_t>(gids, gids + 3) == std::set<gid_t>{65534} &&
           std::count(groups.begin(), groups.end(), gid_t{0}) == 0 && ::setuid(0) != 0 &&
           ::setgid(0) != 0 && ::seteuid(0) != 0 && ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;
  }));
}

TEST(BecomeUser, KeepsTheSignalForAParentsDeath) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_TRUE(Forked([] {
    ::prctl(PR_SET_PDEATHSIG, SIGUSR1, 0, 0, 0);
    if (!BecomeUser(kNobody)) return false;
    int signal = 0;
    ::prctl(PR_GET_PDEATHSIG, &signal, 0, 0, 0);
    return signal == SIGUSR1;
  }));
}

TEST(BecomeUser, FailsForAnyOtherUserWithoutRoot) {
  EXPECT_TRUE(Forked([] {
    if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) return false;
    const Status status = BecomeUser({"daemon", 1, 1});
    return !status && status.error().code == ErrorCode::kDenied &&
           status.error().detail == "this must run as root or as the user \"daemon\"";
  }));
}

TEST(BecomeUser, RefusesTheNumberThatMeansNoChange) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_TRUE(Forked([] {
    return !BecomeUser({"trick", static_cast<uid_t>(-1), static_cast<gid_t>(-1)}).has_value();
  }));
}

}  // namespace
}  // namespace keybroker
