#include "keybroker/ipc/activation.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

#include "keybroker/ipc/listening_socket.h"
#include "support/temp_dir.h"

namespace keybroker::ipc {
namespace {

using testing::HasSubstr;

// Announced is what a service manager passes.
struct Announced {
  std::vector<int> fds;
  std::optional<std::string> names;
  bool to_us = true;
};

// Describe runs in the process that takes the sockets over.
std::string Describe() {
  const auto sockets = TakeActivatedSockets();
  if (!sockets) return sockets.error().detail;
  for (const char* variable : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) {
    if (::getenv(variable) != nullptr) return std::string(variable) + " is left";
  }
  std::string text = "taken:";
  for (const auto& socket : *sockets) {
    const bool ready = (::fcntl(socket.fd.get(), F_GETFL) & O_NONBLOCK) != 0 &&
                       (::fcntl(socket.fd.get(), F_GETFD) & FD_CLOEXEC) != 0;
    text += " " + socket.name + (ready ? "" : "(unprepared)");
  }
  return text;
}

// Take has a process of its own take what is announced, and gives what it found.
std::string Take(const Announced& announced) {
  int pipe[2] = {-1, -1};
  EXPECT_EQ(::pipe2(pipe, O_CLOEXEC), 0);
  UniqueFd read_end(pipe[0]);
  UniqueFd write_end(pipe[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    // First out of the way of the numbers they are to have.
    const int out = ::fcntl(write_end.get(), F_DUPFD_CLOEXEC, 100);
    std::vector<int> moved;
    for (const int fd : announced.fds) moved.push_back(::fcntl(fd, F_DUPFD, 100));
    for (size_t i = 0; i < moved.size(); ++i) ::dup2(moved[i], 3 + static_cast<int>(i));
    ::setenv("LISTEN_PID", std::to_string(announced.to_us ? ::getpid() : 1).c_str(), 1);
    ::setenv("LISTEN_FDS", std::to_string(announced.fds.size()).c_str(), 1);
    if (announced.names) ::setenv("LISTEN_FDNAMES", announced.names->c_str(), 1);
    const std::string text = Describe();
    ::_exit(::write(out, text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 1);
  }
  write_end.Reset();
  char text[1024];
  const ssize_t size = ::read(read_end.get(), text, sizeof text);
  int status = -1;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  return {text, size < 0 ? 0 : static_cast<size_t>(size)};
}

class Activation : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"a", "b"}) {
      auto bound = BindSocket({.path = dir_ / name}, Replace::kOnlyStale);
      ASSERT_TRUE(bound) << bound.error().detail;
      // As systemd passes them.
      ASSERT_EQ(::fcntl(bound->get(), F_SETFL, 0), 0);
      sockets_.push_back(std::move(*bound));
    }
  }
  test::TempDir dir_;
  std::vector<UniqueFd> sockets_;
};

TEST_F(Activation, TakesSocketsWithTheirNames) {
  const std::vector<int> both{sockets_[0].get(), sockets_[1].get()};
  EXPECT_EQ(Take({both, "https:admin"}), "taken: https admin");
  EXPECT_EQ(Take({both, "https"}), "taken: https ");
  EXPECT_EQ(Take({{both[0]}, std::nullopt}), "taken: ");
}

TEST_F(Activation, TakesNothingThatIsMeantForAnother) {
  EXPECT_EQ(Take({{sockets_[0].get()}, "https", false}), "taken:");
  EXPECT_EQ(Take({{}, std::nullopt}), "taken:");
}

TEST_F(Activation, RefusesSocketsOfAnotherKind) {
  const UniqueFd stream(::socket(AF_UNIX, SOCK_STREAM, 0));
  EXPECT_THAT(Take({{stream.get()}, "https"}),
              HasSubstr("socket 1 of LISTEN_FDS (\"https\"): not a Unix SOCK_SEQPACKET socket"));
  const UniqueFd silent(::socket(AF_UNIX, SOCK_SEQPACKET, 0));
  EXPECT_THAT(Take({{sockets_[0].get(), silent.get()}, "https:imap"}),
              HasSubstr("socket 2 of LISTEN_FDS (\"imap\"): it does not listen"));
  const UniqueFd file(::open("/dev/null", O_RDONLY));
  EXPECT_THAT(Take({{file.get()}, "https"}), HasSubstr("not a Unix SOCK_SEQPACKET socket"));
}

}  // namespace
}  // namespace keybroker::ipc
