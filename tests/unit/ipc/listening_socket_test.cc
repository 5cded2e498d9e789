#include "keybroker/ipc/listening_socket.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

#include "keybroker/ipc/connect.h"
#include "support/temp_dir.h"

namespace keybroker::ipc {
namespace {

using testing::HasSubstr;

constexpr uid_t kOther = 12345;

struct stat StatOf(const std::filesystem::path& path) {
  struct stat info {};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
  return info;
}

std::vector<std::string> NamesIn(const std::filesystem::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

int OptionOf(int fd, int option) {
  int value = -1;
  socklen_t size = sizeof value;
  EXPECT_EQ(::getsockopt(fd, SOL_SOCKET, option, &value, &size), 0);
  return value;
}

TEST(BindSocket, MakesOneThatListensWithItsMode) {
  const test::TempDir temp;
  const auto bound = BindSocket({.path = temp / "socket", .mode = 0640}, Replace::kOnlyStale);
  ASSERT_TRUE(bound) << bound.error().detail;
  EXPECT_EQ(StatOf(temp / "socket").st_mode, S_IFSOCK | 0640U);
  EXPECT_EQ(OptionOf(bound->get(), SO_TYPE), SOCK_SEQPACKET);
  EXPECT_EQ(OptionOf(bound->get(), SO_ACCEPTCONN), 1);
  EXPECT_EQ(OptionOf(bound->get(), SO_PASSCRED), 1);
  EXPECT_NE(::fcntl(bound->get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(bound->get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_THAT(NamesIn(temp.path()), testing::ElementsAre("socket"));
}

TEST(BindSocket, GivesItToItsOwnerAndGroup) {
  if (::geteuid() != 0) GTEST_SKIP() << "NOT TESTED: giving a socket away needs root";
  const test::TempDir temp;
  const SocketFile file{.path = temp / "socket", .owner = kOther, .group = kOther + 1};
  ASSERT_TRUE(BindSocket(file, Replace::kOnlyStale));
  EXPECT_EQ(StatOf(file.path).st_uid, kOther);
  EXPECT_EQ(StatOf(file.path).st_gid, kOther + 1);
}

TEST(BindSocket, LeavesTheGroupOfASetgidDirectory) {
  if (::geteuid() != 0) GTEST_SKIP() << "NOT TESTED: giving a directory away needs root";
  const test::TempDir temp;
  ASSERT_EQ(::chown(temp.path().c_str(), 0, kOther), 0);
  ASSERT_EQ(::chmod(temp.path().c_str(), 02750), 0);
  ASSERT_TRUE(BindSocket({.path = temp / "socket"}, Replace::kOurOwn));
  EXPECT_EQ(StatOf(temp / "socket").st_gid, kOther);
  EXPECT_EQ(StatOf(temp / "socket").st_mode & 07777, 0660U);
}

TEST(BindSocket, ReplacesAStaleOneAndNothingElse) {
  const test::TempDir temp;
  const SocketFile file{.path = temp / "socket"};
  { ASSERT_TRUE(BindSocket(file, Replace::kOnlyStale)); }
  const auto again = BindSocket(file, Replace::kOnlyStale);
  ASSERT_TRUE(again) << "nobody listens on the first any more: " << again.error().detail;
  const auto live = BindSocket(file, Replace::kOnlyStale);
  ASSERT_FALSE(live);
  EXPECT_EQ(live.error().code, ErrorCode::kConflict);
  EXPECT_THAT(live.error().detail, HasSubstr("in use by a running process"));
  std::ofstream(temp / "file") << "precious";
  const auto no_socket = BindSocket({.path = temp / "file"}, Replace::kOnlyStale);
  ASSERT_FALSE(no_socket);
  EXPECT_THAT(no_socket.error().detail, HasSubstr("is not a socket"));
  EXPECT_EQ(StatOf(temp / "file").st_size, 8);
  EXPECT_THAT(NamesIn(temp.path()), testing::UnorderedElementsAre("socket", "file"))
      << "nothing half-made stays behind";
}

TEST(BindSocket, ReplacesItsOwnWithoutAMomentWithoutOne) {
  const test::TempDir temp;
  const SocketFile file{.path = temp / "socket"};
  const auto first = BindSocket(file, Replace::kOnlyStale);
  ASSERT_TRUE(first);
  auto second = PrepareSocket(file, Replace::kOurOwn);
  ASSERT_TRUE(second) << second.error().detail;
  const auto before = StatOf(file.path).st_ino;
  ASSERT_TRUE(PublishSocket(*second));
  EXPECT_NE(StatOf(file.path).st_ino, before);
  ASSERT_TRUE(Connect(file.path, std::chrono::seconds(60), FullBacklog::kFail));
  EXPECT_TRUE(UniqueFd(::accept4(second->fd.get(), nullptr, nullptr, SOCK_CLOEXEC)));
  EXPECT_FALSE(UniqueFd(::accept4(first->get(), nullptr, nullptr, SOCK_CLOEXEC)));
}

TEST(BindSocket, MakesOneThatRefusesUntilItListens) {
  const test::TempDir temp;
  const auto bound =
      BindSocket({.path = temp / "socket", .listens = Listens::kLater}, Replace::kOnlyStale);
  ASSERT_TRUE(bound) << bound.error().detail;
  const auto connect = [&] {
    return Connect(temp / "socket", std::chrono::seconds(60), FullBacklog::kFail);
  };
  const auto refused = connect();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().detail, "Connection refused");
  ASSERT_TRUE(Listen(bound->get()));
  EXPECT_TRUE(connect());
  ASSERT_TRUE(Listen(bound->get())) << "once more changes nothing";
  EXPECT_TRUE(connect());
}

TEST(BindSocket, LeavesNothingBehindWhereItFails) {
  const test::TempDir temp;
  std::filesystem::create_directory(temp / "directory");
  EXPECT_FALSE(BindSocket({.path = temp / "directory"}, Replace::kOurOwn));
  EXPECT_THAT(NamesIn(temp.path()), testing::ElementsAre("directory"));
  const auto refused = BindSocket({.path = temp / std::string(120, 'x')}, Replace::kOnlyStale);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().detail, HasSubstr("unix(7) allows 1 to 107"));
}

TEST(Connect, SaysWhyItCannot) {
  const test::TempDir temp;
  const auto ask = [&](FullBacklog backlog) {
    return Connect(temp / "socket", std::chrono::milliseconds(1), backlog);
  };
  auto connected = ask(FullBacklog::kWait);
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(connected.error().detail, "No such file or directory");
  { ASSERT_TRUE(BindSocket({.path = temp / "socket"}, Replace::kOnlyStale)); }
  EXPECT_EQ(ask(FullBacklog::kWait).error().detail, "Connection refused");
  const auto bound = BindSocket({.path = temp / "socket", .backlog = 0}, Replace::kOnlyStale);
  ASSERT_TRUE(bound);
  const auto only = ask(FullBacklog::kFail);
  ASSERT_TRUE(only);
  for (const auto backlog : {FullBacklog::kFail, FullBacklog::kWait}) {
    connected = ask(backlog);
    ASSERT_FALSE(connected);
    EXPECT_EQ(connected.error().code, ErrorCode::kUnavailable);
  }
}

TEST(Connect, GivesABlockingSocketWithItsTimeout) {
  const test::TempDir temp;
  const auto bound = BindSocket({.path = temp / "socket"}, Replace::kOnlyStale);
  ASSERT_TRUE(bound);
  for (const auto backlog : {FullBacklog::kFail, FullBacklog::kWait}) {
    const auto fd = Connect(temp / "socket", std::chrono::milliseconds(2500), backlog);
    ASSERT_TRUE(fd);
    EXPECT_EQ(::fcntl(fd->get(), F_GETFL) & O_NONBLOCK, 0);
    for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO}) {
      timeval limit{};
      socklen_t size = sizeof limit;
      ASSERT_EQ(::getsockopt(fd->get(), SOL_SOCKET, option, &limit, &size), 0);
      EXPECT_EQ(limit.tv_sec, 2);
      // The kernel rounds up to its clock's tick.
      EXPECT_NEAR(static_cast<double>(limit.tv_usec), 500'000, 10'000);
    }
  }
}

}  // namespace
}  // namespace keybroker::ipc
