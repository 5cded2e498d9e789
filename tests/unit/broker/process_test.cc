#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <sstream>

#include "keybroker/broker/admin_client.h"
#include "keybroker/ipc/listening_socket.h"
#include "support/broker_fixture.h"
#include "support/child_process.h"

namespace keybroker {
namespace {

using test::BrokerClient;
using test::ChildProcess;
using test::Digest32;
using test::EcKey;
using testing::HasSubstr;

constexpr uid_t kNobody = 65534;

// The program itself, as a service manager starts it.
class Process : public test::BrokerTest {
 protected:
  void SetUp() override {
    token_ = &AddToken("soft");
    token_->SetKeys({EcKey("a.example.test", 1)});
    token_->Start();
    WriteListener("https", Bind("a.example.test"));
    ::chmod(dir_.path().c_str(), 0755);
  }

  std::vector<std::string> Command(const std::string& more = "") {
    LoadSettings();
    std::vector<std::string> command{KB_KEYBROKERD, "--config", (dir_ / "keybroker.toml").string()};
    if (!more.empty()) command.push_back(more);
    return command;
  }

  // CommandAsNobody makes the broker drop to another user. Root only.
  std::vector<std::string> CommandAsNobody() {
    auto command = Command();
    std::string text = test::ReadAll(dir_ / "keybroker.toml");
    const std::string mine = "broker_user = \"" + std::to_string(::geteuid()) + "\"";
    text.replace(text.find(mine), mine.size(), "broker_user = \"65534\"");
    test::WriteAll(dir_ / "keybroker.toml", text);
    return command;
  }

  bool Signs(const std::string& listener) {
    return ClientOf(listener).Sign(EcKey("", 1).ref(), CKM_ECDSA, Digest32()).signature.size() ==
           64U;
  }

  test::FakeTokenhost* token_ = nullptr;
};

// StatusLine is a line of /proc/PID/status.
std::string StatusLine(pid_t pid, const std::string& name) {
  const std::string text = test::ReadAll("/proc/" + std::to_string(pid) + "/status");
  const size_t start = text.find("\n" + name + ":");
  if (start == std::string::npos) return "";
  return text.substr(start + 1, text.find('\n', start + 1) - start - 1);
}

std::vector<pid_t> ChildrenOf(pid_t pid) {
  const std::string path =
      "/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children";
  std::istringstream text(test::ReadAll(path));
  std::vector<pid_t> children;
  for (pid_t child = 0; text >> child;) children.push_back(child);
  return children;
}

TEST_F(Process, StartsServesAndEndsCleanly) {
  ChildProcess broker(Command());
  ASSERT_TRUE(broker.AwaitLine("keybrokerd: ready")) << broker.output();
  EXPECT_TRUE(Signs("https"));
  broker.Signal(SIGTERM);
  EXPECT_EQ(broker.Wait(), 0) << broker.output();
  // What it left behind is no obstacle to the next.
  ChildProcess next(Command());
  EXPECT_TRUE(next.AwaitLine("keybrokerd: ready")) << next.output();
  EXPECT_TRUE(Signs("https"));
  next.Signal(SIGINT);
  EXPECT_EQ(next.Wait(), 0);
}

TEST_F(Process, StartsAgainAfterItWasKilled) {
  {
    ChildProcess broker(Command());
    ASSERT_TRUE(broker.AwaitLine("keybrokerd: ready")) << broker.output();
    broker.Signal(SIGKILL);
    EXPECT_EQ(broker.Wait(), 1000 + SIGKILL);
  }
  ChildProcess next(Command());
  EXPECT_TRUE(next.AwaitLine("keybrokerd: ready")) << next.output();
  EXPECT_TRUE(Signs("https"));
}

TEST_F(Process, ReloadsOnHangup) {
  ChildProcess broker(Command());
  ASSERT_TRUE(broker.AwaitLine("keybrokerd: ready")) << broker.output();
  WriteListener("imap", Bind("a.example.test"));
  broker.Signal(SIGHUP);
  ASSERT_TRUE(broker.AwaitLine("read again")) << broker.output();
  EXPECT_TRUE(Signs("imap"));
  test::WriteAll(dir_ / "listeners.d/imap.toml", "[listener]\nnonsense");
  broker.Signal(SIGHUP);
  ASSERT_TRUE(broker.AwaitLine("stays in force")) << broker.output();
  EXPECT_TRUE(Signs("imap"));
}

TEST_F(Process, ChecksTheConfigurationAndNamesEveryComplaint) {
  ChildProcess good(Command("--check"));
  EXPECT_EQ(good.Wait(), 0);
  EXPECT_EQ(good.output(), "ok: 1 listeners, 1 tokens\n");
  test::WriteAll(dir_ / "listeners.d/imap.toml",
                 "[listener]\nname = \"imap\"\nuser = [\"root\"]\n");
  WriteListener("pop3", Bind("a.example.test"), "", "\"no-such-user\"");
  WriteListener("nntp", Bind("a.example.test"), "socket = \"" + Socket("https").string() + "\"");
  ChildProcess bad(Command("--check"));
  EXPECT_EQ(bad.Wait(), 78);
  EXPECT_THAT(bad.output(), HasSubstr("listeners.d/imap.toml:3: "));
  EXPECT_THAT(bad.output(), HasSubstr("pop3.toml: users: there is no user \"no-such-user\""));
  EXPECT_THAT(bad.output(), HasSubstr("belongs to another listener already"));
  EXPECT_FALSE(std::filesystem::exists(Socket("https"))) << "a check makes nothing";
}

TEST_F(Process, EndsWithWrongConfigurationOrUsage) {
  ChildProcess missing({KB_KEYBROKERD, "--config", (dir_ / "none.toml").string()});
  EXPECT_EQ(missing.Wait(), 78);
  EXPECT_THAT(missing.output(), HasSubstr("none.toml"));
  ChildProcess usage({KB_KEYBROKERD, "--fork"});
  EXPECT_EQ(usage.Wait(), 2);
  ChildProcess help({KB_KEYBROKERD, "--help"});
  EXPECT_EQ(help.Wait(), 0);
  EXPECT_THAT(help.output(), HasSubstr("Example:"));
}

TEST_F(Process, TellsItsServiceManager) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = (dir_ / "notify").string();
  std::memcpy(address.sun_path, path.data(), path.size());
  const UniqueFd manager(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::bind(manager.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const timeval patience{30, 0};
  ::setsockopt(manager.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const auto told = [&] {
    char text[256];
    const ssize_t size = ::recv(manager.get(), text, sizeof text, 0);
    return std::string(text, size < 0 ? 0 : static_cast<size_t>(size));
  };
  ChildProcess broker(Command(), {{{"NOTIFY_SOCKET", path}}, {}});
  EXPECT_EQ(told(), "READY=1");
  EXPECT_TRUE(Signs("https")) << "ready means ready";
  broker.Signal(SIGHUP);
  EXPECT_THAT(told(), HasSubstr("RELOADING=1\nMONOTONIC_USEC="));
  EXPECT_EQ(told(), "READY=1");
  broker.Signal(SIGTERM);
  EXPECT_EQ(told(), "STOPPING=1");
  EXPECT_EQ(broker.Wait(), 0);
}

TEST_F(Process, TakesSocketsThatItsServiceManagerMade) {
  const auto made = dir_ / "activated";
  auto listening = ipc::BindSocket({.path = made}, ipc::Replace::kOnlyStale);
  ASSERT_TRUE(listening);
  BrokerClient early;
  ASSERT_TRUE(early.Connect(made)) << "before the broker even runs";
  ChildProcess broker(Command(), {{{"LISTEN_FDNAMES", "https"}}, {listening->get()}});
  ASSERT_TRUE(early.Hello());
  EXPECT_EQ(early.Sign(EcKey("", 1).ref(), CKM_ECDSA, Digest32()).signature.size(), 64U);
  EXPECT_FALSE(std::filesystem::exists(Socket("https"))) << "it binds none of its own for it";
}

TEST_F(Process, GivesUpRootAndKeepsOnlyABinderThatEndsWithIt) {
  if (::geteuid() != 0) GTEST_SKIP() << "NOT TESTED: giving up root needs root";
  WriteListener("https", Bind("a.example.test"),
                "owner = \"65534\"\ngroup = \"0\"\nmode = \"0600\"", "\"0\"");
  // The tokenhost's socket must let nobody's broker in.
  ::chmod((dir_ / "run/tokens/soft.socket").c_str(), 0777);
  ChildProcess broker(CommandAsNobody());
  ASSERT_TRUE(broker.AwaitLine("keybrokerd: ready")) << broker.output();
  EXPECT_EQ(StatusLine(broker.pid(), "Uid"), "Uid:\t65534\t65534\t65534\t65534");
  EXPECT_EQ(StatusLine(broker.pid(), "CapEff"), "CapEff:\t0000000000000000");
  EXPECT_EQ(StatusLine(broker.pid(), "NoNewPrivs"), "NoNewPrivs:\t1");
  struct stat info {};
  ASSERT_EQ(::lstat(Socket("https").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, kNobody);
  EXPECT_EQ(info.st_gid, 0U);
  EXPECT_EQ(info.st_mode & 07777U, 0600U);
  ASSERT_EQ(::lstat((dir_ / "state/broker/audit.log").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, kNobody);
  EXPECT_TRUE(Signs("https"));

  // A new listener's socket has an owner that only root can give it.
  WriteListener("imap", Bind("a.example.test"), "owner = \"12345\"");
  const auto reloaded = broker::AskBroker(LoadSettings(), wire::AdminVerb::kReload);
  ASSERT_TRUE(reloaded) << reloaded.error().detail;
  ASSERT_EQ(::lstat(Socket("imap").c_str(), &info), 0);
  EXPECT_EQ(info.st_uid, 12345U);
  EXPECT_TRUE(Signs("imap"));
  // What the binder cannot bind leaves everything as it is.
  std::filesystem::create_directories(dir_ / "open");
  ::chmod((dir_ / "open").c_str(), 0777);
  WriteListener("pop3", "", "socket = \"" + (dir_ / "open/socket").string() + "\"");
  const auto refused = broker::AskBroker(LoadSettings(), wire::AdminVerb::kReload);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().detail, HasSubstr("writable by others"));
  RemoveListener("pop3");
  RemoveListener("imap");
  ASSERT_TRUE(broker::AskBroker(LoadSettings(), wire::AdminVerb::kReload));
  EXPECT_FALSE(std::filesystem::exists(Socket("imap"))) << "in a directory of root's";

  const auto children = ChildrenOf(broker.pid());
  ASSERT_EQ(children.size(), 1U);
  EXPECT_EQ(StatusLine(children[0], "Uid"), "Uid:\t0\t0\t0\t0");
  const UniqueFd binder(static_cast<int>(::syscall(SYS_pidfd_open, children[0], 0)));
  ASSERT_TRUE(binder);
  broker.Signal(SIGKILL);
  // The output ends only when the binder, which shares it, is gone too.
  EXPECT_EQ(broker.Wait(), 1000 + SIGKILL);
  pollfd end{binder.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&end, 1, 30'000), 1);
}

}  // namespace
}  // namespace keybroker
