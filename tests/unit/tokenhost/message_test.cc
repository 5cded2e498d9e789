#include "tokenhost/message.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <vector>

#include "keybroker/base/unique_fd.h"

namespace keybroker::tokenhost {
namespace {

struct Pair {
  Pair() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    ours.Reset(ends[0]);
    theirs.Reset(ends[1]);
    const int on = 1;
    EXPECT_EQ(::setsockopt(ours.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
  }
  UniqueFd ours;
  UniqueFd theirs;
};

size_t OwnDescriptors() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& fd : std::filesystem::directory_iterator("/proc/self/fd")) {
    ++count;
  }
  return count;
}

void SendWithDescriptors(int fd, size_t count) {
  uint8_t byte = 1;
  iovec vector{&byte, 1};
  std::vector<uint8_t> control(CMSG_SPACE(count * sizeof(int)));
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  cmsghdr* rights = CMSG_FIRSTHDR(&header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(count * sizeof(int));
  const std::vector<int> descriptors(count, STDERR_FILENO);
  memcpy(CMSG_DATA(rights), descriptors.data(), count * sizeof(int));
  ASSERT_EQ(::sendmsg(fd, &header, 0), 1);
}

TEST(Receive, GivesAMessageWithWhoSentIt) {
  Pair pair;
  std::array<uint8_t, 16> buffer{};
  ASSERT_EQ(::send(pair.theirs.get(), "abc", 3, 0), 3);
  const Received received = Receive(pair.ours.get(), buffer);
  EXPECT_EQ(received.kind, Received::Kind::kMessage);
  EXPECT_EQ(wire::AsText(received.bytes), "abc");
  EXPECT_EQ(received.uid, ::geteuid());
  EXPECT_EQ(received.pid, ::getpid());
}

TEST(Receive, TellsAMessageThatIsTooLong) {
  Pair pair;
  std::array<uint8_t, 3> buffer{};
  ASSERT_EQ(::send(pair.theirs.get(), "abcd", 4, 0), 4);
  EXPECT_EQ(Receive(pair.ours.get(), buffer).kind, Received::Kind::kTooLong);
  ASSERT_EQ(::send(pair.theirs.get(), "abc", 3, 0), 3);
  EXPECT_EQ(Receive(pair.ours.get(), buffer).kind, Received::Kind::kMessage);
}

TEST(Receive, TellsTheEnd) {
  Pair pair;
  std::array<uint8_t, 3> buffer{};
  pair.theirs.Reset();
  EXPECT_EQ(Receive(pair.ours.get(), buffer).kind, Received::Kind::kEnd);
}

TEST(Receive, ClosesEveryDescriptorThatIsPassed) {
  Pair pair;
  std::array<uint8_t, 3> buffer{};
  const size_t before = OwnDescriptors();
  for (const size_t count : {1U, 7U, 8U, 9U, 200U}) {
    SendWithDescriptors(pair.theirs.get(), count);
    EXPECT_EQ(Receive(pair.ours.get(), buffer).kind, Received::Kind::kDescriptors) << count;
    EXPECT_EQ(OwnDescriptors(), before) << count;
  }
}

TEST(Receive, BelievesNobodyWhomTheKernelDoesNotName) {
  Pair pair;
  std::array<uint8_t, 3> buffer{};
  const int off = 0;
  ASSERT_EQ(::setsockopt(pair.ours.get(), SOL_SOCKET, SO_PASSCRED, &off, sizeof off), 0);
  ASSERT_EQ(::send(pair.theirs.get(), "abc", 3, 0), 3);
  EXPECT_EQ(Receive(pair.ours.get(), buffer).kind, Received::Kind::kNobody);
}

TEST(Send, FailsWhenThePeerIsGone) {
  Pair pair;
  const std::array<uint8_t, 3> bytes{1, 2, 3};
  EXPECT_TRUE(Send(pair.ours.get(), bytes));
  pair.theirs.Reset();
  EXPECT_FALSE(Send(pair.ours.get(), bytes));
}

}  // namespace
}  // namespace keybroker::tokenhost
