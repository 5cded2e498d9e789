#include "keybroker/ipc/notify.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "keybroker/base/unique_fd.h"
#include "keybroker/ipc/unix_address.h"
#include "support/temp_dir.h"

namespace keybroker::ipc {
namespace {

// ServiceManager listens on NOTIFY_SOCKET as long as it lives.
class ServiceManager {
 public:
  explicit ServiceManager(const std::string& name)
      : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    const auto address = UnixAddress::OfNotifySocket(name);
    EXPECT_TRUE(address);
    EXPECT_EQ(::bind(fd_.get(), address->get(), address->size()), 0);
    ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;
  ~ServiceManager() { ::unsetenv("NOTIFY_SOCKET"); }

  // A datagram is there as soon as it was sent.
  std::string Next() const {
    char text[256];
    const ssize_t size = ::recv(fd_.get(), text, sizeof text, 0);
    return size < 0 ? "nothing" : std::string(text, static_cast<size_t>(size));
  }

 private:
  UniqueFd fd_;
};

TEST(Notify, TellsTheServiceManagerAtAPath) {
  const test::TempDir temp;
  const ServiceManager manager((temp / "notify").string());
  Notify("READY=1");
  EXPECT_EQ(manager.Next(), "READY=1");
  NotifyReloading();
  EXPECT_THAT(manager.Next(), testing::MatchesRegex("RELOADING=1\nMONOTONIC_USEC=[0-9]+"));
}

TEST(Notify, TellsTheServiceManagerAtAnAbstractName) {
  const ServiceManager manager("@kb-notify-test-" + std::to_string(::getpid()));
  Notify("STOPPING=1");
  EXPECT_EQ(manager.Next(), "STOPPING=1");
}

TEST(Notify, TellsTheParentThatGaveItASocketAndNobodyElse) {
  const test::TempDir temp;
  const ServiceManager manager((temp / "notify").string());
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
  const UniqueFd parent(pair[0]);
  const UniqueFd child(pair[1]);
  ::setenv(kNotifyFd, std::to_string(child.get()).c_str(), 1);
  Notify("READY=1");
  ::unsetenv(kNotifyFd);
  char text[64];
  const ssize_t size = ::recv(parent.get(), text, sizeof text, MSG_DONTWAIT);
  ASSERT_GT(size, 0);
  EXPECT_EQ(std::string(text, static_cast<size_t>(size)), "READY=1");
  EXPECT_EQ(manager.Next(), "nothing");
  EXPECT_NE(::fcntl(child.get(), F_GETFD) & FD_CLOEXEC, 0) << "not for what it starts";
}

TEST(Notify, DoesNothingWithoutAServiceManager) {
  const test::TempDir temp;
  const ServiceManager manager((temp / "notify").string());
  ::unsetenv("NOTIFY_SOCKET");
  Notify("READY=1");
  for (const std::string& nobody : {std::string("relative"), (temp / "nobody").string()}) {
    ::setenv("NOTIFY_SOCKET", nobody.c_str(), 1);
    Notify("READY=1");
  }
  EXPECT_EQ(manager.Next(), "nothing");
}

}  // namespace
}  // namespace keybroker::ipc
