#include "keybroker/ipc/message.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <vector>

#include "keybroker/base/unique_fd.h"

namespace keybroker::ipc {
namespace {

using Kind = Received::Kind;

struct Pair {
  explicit Pair(int flags = 0) {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | flags, 0, ends), 0);
    ours.Reset(ends[0]);
    theirs.Reset(ends[1]);
    EXPECT_TRUE(WantCredentials(ours.get()));
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

std::string_view TextOf(const Received& received) {
  return {reinterpret_cast<const char*>(received.message.data()), received.message.size()};
}

TEST(Receive, GivesAMessageWithWhoSentIt) {
  Pair pair;
  std::array<uint8_t, 16> buffer{};
  ASSERT_EQ(::send(pair.theirs.get(), "abc", 3, 0), 3);
  const Received received = Receive(pair.ours.get(), buffer);
  EXPECT_EQ(received.kind, Kind::kMessage);
  EXPECT_EQ(TextOf(received), "abc");
  ASSERT_TRUE(received.sender);
  EXPECT_EQ(received.sender->uid, ::geteuid());
  EXPECT_EQ(received.sender->pid, ::getpid());
}

TEST(Receive, TellsAMessageThatIsTooLong) {
  Pair pair;
  std::array<uint8_t, 3> buffer{};
  ASSERT_EQ(::send(pair.theirs.get(), "abcd", 4, 0), 4);
  const Received received = Receive(pair.ours.get(), buffer);
  EXPECT_EQ(received.kind, Kind::kTooLong);
  EXPECT_TRUE(received.sender) << "whoever logs it can say whose it was";
  ASSERT_EQ(::send(pair.theirs.get(), "abc", 3, 0), 3);
  EXPECT_EQ(Receive(pair.ours.get(), buffer).kind, Kind::kMessage);
}

TEST(Receive, TellsTheEndFromAnEmptyMessage) {
  Pair pair;
  std::array<uint8_t, 3> buffer{};
  ASSERT_EQ(::send(pair.theirs.get(), "", 0, 0), 0);
  const Received received = Receive(pair.ours.get(), buffer);
  EXPECT_EQ(received.kind, Kind::kMessage);
  EXPECT_TRUE(received.message.empty());
  pair.theirs.Reset();
  EXPECT_EQ(Receive(pair.ours.get(), buffer).kind, Kind::kEnd);
}

TEST(Receive, TakesABrokenConnectionForTheEnd) {
  std::array<uint8_t, 3> buffer{};
  const UniqueFd no_socket(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(Receive(no_socket.get(), buffer).kind, Kind::kEnd);
}

TEST(Receive, WaitsNoLongerThanItsSocket) {
  std::array<uint8_t, 3> buffer{};
  const Pair never(SOCK_NONBLOCK);
  EXPECT_EQ(Receive(never.ours.get(), buffer).kind, Kind::kNothing);
  const Pair briefly;
  const timeval limit{0, 1000};
  ASSERT_EQ(::setsockopt(briefly.ours.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
  EXPECT_EQ(Receive(briefly.ours.get(), buffer).kind, Kind::kNothing);
}

TEST(Receive, LeavesNoDescriptorThatIsPassedOpen) {
  Pair pair;
  std::array<uint8_t, 3> buffer{};
  const size_t before = OwnDescriptors();
  for (const size_t count : {1U, 7U, 8U, 9U, 200U}) {
    SendWithDescriptors(pair.theirs.get(), count);
    EXPECT_EQ(Receive(pair.ours.get(), buffer).kind, Kind::kDescriptors) << count;
    EXPECT_EQ(OwnDescriptors(), before) << count;
  }
}

// Without credentials their room in the control buffer would hold a few descriptors.
TEST(Receive, LeavesNoDescriptorOpenWhereCredentialsAreOff) {
  Pair pair;
  std::array<uint8_t, 3> buffer{};
  const int off = 0;
  ASSERT_EQ(::setsockopt(pair.ours.get(), SOL_SOCKET, SO_PASSCRED, &off, sizeof off), 0);
  const size_t before = OwnDescriptors();
  for (const size_t count : {1U, 2U, 3U, 4U, 200U}) {
    SendWithDescriptors(pair.theirs.get(), count);
    EXPECT_EQ(Receive(pair.ours.get(), buffer).kind, Kind::kDescriptors) << count;
    EXPECT_EQ(OwnDescriptors(), before) << count;
  }
}

TEST(Receive, NamesNobodyWhomTheKernelDoesNotName) {
  Pair pair;
  std::array<uint8_t, 3> buffer{};
  const int off = 0;
  ASSERT_EQ(::setsockopt(pair.ours.get(), SOL_SOCKET, SO_PASSCRED, &off, sizeof off), 0);
  ASSERT_EQ(::send(pair.theirs.get(), "abc", 3, 0), 3);
  Received received = Receive(pair.ours.get(), buffer);
  EXPECT_EQ(received.kind, Kind::kMessage);
  EXPECT_FALSE(received.sender) << "nothing was said";
  // Sent before credentials were asked for: the kernel fills in pid 0 and a uid that means nobody.
  ASSERT_EQ(::send(pair.theirs.get(), "abc", 3, 0), 3);
  ASSERT_TRUE(WantCredentials(pair.ours.get()));
  received = Receive(pair.ours.get(), buffer);
  EXPECT_EQ(received.kind, Kind::kMessage);
  EXPECT_FALSE(received.sender) << "pid 0 was said";
}

TEST(Send, FailsWhenThePeerIsGone) {
  Pair pair;
  const std::array<uint8_t, 3> bytes{1, 2, 3};
  EXPECT_TRUE(Send(pair.ours.get(), bytes));
  std::array<uint8_t, 4> buffer{};
  EXPECT_EQ(::recv(pair.theirs.get(), buffer.data(), buffer.size(), 0), 3);
  pair.theirs.Reset();
  const auto sent = Send(pair.ours.get(), bytes);
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(sent.error().detail, "Broken pipe");
}

}  // namespace
}  // namespace keybroker::ipc
