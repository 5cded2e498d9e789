// What the running keybroker-tokenhost does with hostile peers.
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <chrono>
#include <cstring>
#include <random>

#include "keybroker/wire/hello.h"
#include "keybroker/wire/token_admin.h"
#include "unit/tokenhost/test_host.h"

namespace keybroker::tokenhost {
namespace {

using wire::MessageType;
using wire::TokenState;

constexpr uid_t kStranger = 64003;

std::vector<uint8_t> HelloBytes() {
  std::vector<uint8_t> buffer(64);
  wire::FrameWriter frame(buffer, {MessageType::kHello, 0, 1});
  Encode(wire::Hello{wire::kMinVersion, wire::kVersion}, frame.body());
  buffer.resize(frame.Finish());
  return buffer;
}

size_t OpenDescriptors(pid_t pid) {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
    ++count;
  }
  return count;
}

// ComesBackTo is true once the tokenhost has no more descriptors than count and one for a
// connection: finished ones are cleaned up when the next one comes, if their threads have ended.
bool ComesBackTo(size_t count, TestHost& host) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  do {
    Peer next(host, host.broker_uid());
    if (next.Hello() && OpenDescriptors(host.process().pid()) <= count + 1) return true;
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

// EndsConnection is true when bytes make the tokenhost end the connection without an answer, and a
// broker's connection made before is not touched.
::testing::AssertionResult EndsOnlyItself(TestHost& host, Peer& broker,
                                          const std::vector<uint8_t>& bytes) {
  Peer bad(host, host.broker_uid());
  bad.SendRaw(bytes);
  if (bad.Receive()) return ::testing::AssertionFailure() << "it was answered";
  if (broker.Keys(1).size() != 2) return ::testing::AssertionFailure() << "another one suffered";
  return ::testing::AssertionSuccess();
}

TEST(TokenhostPeers, EndTheirConnectionWithABadFrame) {
  TestHost host;
  host.Start();
  Peer broker(host, host.broker_uid());
  ASSERT_TRUE(broker.Hello());
  const auto hello = HelloBytes();
  for (size_t size = 1; size < hello.size(); ++size) {
    EXPECT_TRUE(
        EndsOnlyItself(host, broker, {hello.begin(), hello.begin() + static_cast<long>(size)}))
        << "cut to " << size;
  }
  EXPECT_TRUE(EndsOnlyItself(host, broker, {})) << "empty";
  EXPECT_TRUE(EndsOnlyItself(host, broker, std::vector<uint8_t>(wire::kMaxMessage + 1, 0x41)))
      << "oversize";
  // The same bytes each time. NOLINTNEXTLINE(cert-msc32-c,cert-msc51-cpp)
  std::mt19937 random(20261123);
  for (int round = 0; round < 50; ++round) {
    std::vector<uint8_t> bytes(random() % 300 + 1);
    for (auto& byte : bytes) byte = static_cast<uint8_t>(random());
    EXPECT_TRUE(EndsOnlyItself(host, broker, bytes)) << "random, round " << round;
  }
  EXPECT_EQ(host.Stop(), 0);
}

TEST(TokenhostPeers, MaySignOnlyAfterAHello) {
  TestHost host;
  host.Start();
  Peer peer(host, host.broker_uid());
  peer.Send({MessageType::kSignRequest, wire::kVersion, 1}, EcdsaRequest({}));
  EXPECT_FALSE(peer.Receive());
  Peer twice(host, host.broker_uid());
  ASSERT_TRUE(twice.Hello());
  EXPECT_FALSE(twice.Hello());
  EXPECT_EQ(host.Stop(), 0);
}

TEST(TokenhostPeers, OfAnotherVersionAreToldSo) {
  TestHost host;
  host.Start();
  Peer newer(host, host.broker_uid());
  newer.Send({MessageType::kHello, 0, 7}, wire::Hello{wire::kVersion + 1, wire::kVersion + 9});
  const auto reply = newer.Receive();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->header.type, MessageType::kFailure);
  EXPECT_EQ(reply->header.version, 0);
  EXPECT_EQ(reply->header.request_id, 7U);
  EXPECT_FALSE(newer.Receive());
  EXPECT_TRUE(host.process().WaitForText("it speaks no version that this tokenhost speaks"));
  Peer both(host, host.broker_uid());
  both.Send({MessageType::kHello, 0, 8}, wire::Hello{wire::kMinVersion, wire::kVersion + 9});
  const auto agreed = both.Receive();
  ASSERT_TRUE(agreed);
  EXPECT_EQ(wire::DecodeHelloReply(agreed->body)->version, wire::kVersion);
  EXPECT_EQ(host.Stop(), 0);
}

TEST(TokenhostPeers, CannotPassDescriptors) {
  TestHost host;
  host.Start();
  Peer broker(host, host.broker_uid());
  ASSERT_TRUE(broker.Hello());
  // An undumpable process shows its descriptors to root only; message_test.cc counts for all.
  const bool counts = ::geteuid() == 0;
  const size_t before = counts ? OpenDescriptors(host.process().pid()) : 0;
  for (int i = 0; i < 10; ++i) {
    Peer peer(host, host.broker_uid());
    peer.SendRaw(HelloBytes(), STDERR_FILENO);
    EXPECT_FALSE(peer.Receive());
  }
  EXPECT_EQ(broker.Keys(1).size(), 2U);
  EXPECT_TRUE(!counts || ComesBackTo(before, host));
  EXPECT_EQ(host.Stop(), 0);
}

TEST(TokenhostPeers, AreJudgedByTheUidOfEachMessage) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to speak as others";
  TestHost host;
  host.Start();
  for (const uid_t uid : {uid_t{0}, kTokenUid, kStranger}) {
    Peer peer(host, uid);
    peer.SendRaw(HelloBytes());
    const auto reply = peer.Receive();
    ASSERT_TRUE(reply) << uid;
    const auto failure = FailureOf(*reply);
    ASSERT_TRUE(failure) << uid;
    EXPECT_EQ(failure->code, ErrorCode::kDenied);
    EXPECT_FALSE(peer.Receive()) << "the connection ends";
  }
  EXPECT_EQ(host.Stop(), 0);
}

TEST(TokenhostPeers, MayUnlockOnlyAsRootOrTokenUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to speak as others";
  TestHostOptions options;
  options.pin_file = "";
  TestHost host(options);
  host.Start();
  const std::string pin = kPin;
  for (const uid_t uid : {kBrokerUid, kStranger}) {
    Peer peer(host, uid);
    peer.Send({MessageType::kUnlockRequest, wire::kVersion, 1},
              wire::UnlockRequest{wire::AsBytes(pin)});
    const auto reply = peer.Receive();
    ASSERT_TRUE(reply);
    EXPECT_EQ(FailureOf(*reply)->code, ErrorCode::kDenied);
  }
  EXPECT_EQ(host.Calls("C_Login"), 0);
  Peer token_user(host, kTokenUid);
  token_user.Send({MessageType::kUnlockRequest, wire::kVersion, 1},
                  wire::UnlockRequest{wire::AsBytes(pin)});
  const auto reply = token_user.Receive();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->header.type, MessageType::kUnlockReply);
  EXPECT_EQ(wire::DecodeTokenStatus(reply->body)->state, TokenState::kReady);
  EXPECT_EQ(host.Stop(), 0);
}

TEST(TokenhostPeers, OfTheBrokerMayAskForTheStatus) {
  TestHost host;
  host.Start();
  Peer broker(host, host.broker_uid());
  broker.SendEmpty({MessageType::kTokenStatusRequest, wire::kVersion, 3});
  const auto reply = broker.Receive();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->header.type, MessageType::kTokenStatusReply);
  EXPECT_EQ(wire::DecodeTokenStatus(reply->body)->state, TokenState::kReady);
  EXPECT_EQ(host.Stop(), 0);
}

// ConnectAs tries the socket from a process of that uid: 0 when it connects and gets an answer to a
// Hello, 1 when it is refused by the file system, 2 when the connection ends without an answer.
int ConnectAs(const TestHost& host, uid_t uid) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::setgroups(0, nullptr) != 0 || ::setgid(uid) != 0 || ::setuid(uid) != 0) ::_exit(9);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = host.settings().TokenSocket("main").string();
    memcpy(address.sun_path, path.data(), path.size());
    const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET, 0);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) ::_exit(1);
    const auto hello = HelloBytes();
    uint8_t reply[256];
    if (::send(fd, hello.data(), hello.size(), MSG_NOSIGNAL) < 0) ::_exit(2);
    ::_exit(::recv(fd, reply, sizeof reply, 0) > 0 ? 0 : 2);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WEXITSTATUS(status);
}

TEST(TokenhostPeers, OfOtherUsersDoNotEvenReachTheSocket) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become others";
  TestHost host;
  host.Start();
  EXPECT_EQ(ConnectAs(host, kBrokerUid), 0);
  EXPECT_EQ(ConnectAs(host, kStranger), 1);
  // Even where somebody opened the doors, the tokenhost itself refuses.
  std::filesystem::permissions(host.settings().TokenSocketDir(), std::filesystem::perms(0755));
  std::filesystem::permissions(host.settings().TokenSocket("main"), std::filesystem::perms(0666));
  EXPECT_EQ(ConnectAs(host, kStranger), 2);
  EXPECT_EQ(host.Stop(), 0);
}

TEST(TokenhostPeers, FindItUnderItsOwnUserOnly) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to be dropped";
  TestHost host;
  host.Start();
  const std::string status =
      test::ReadAll("/proc/" + std::to_string(host.process().pid()) + "/status");
  const std::string id = std::to_string(kTokenUid);
  EXPECT_NE(status.find("Uid:\t" + id + "\t" + id + "\t" + id + "\t" + id), std::string::npos);
  EXPECT_NE(status.find("Gid:\t" + id + "\t" + id + "\t" + id + "\t" + id), std::string::npos);
  EXPECT_NE(status.find("NoNewPrivs:\t1"), std::string::npos);
  EXPECT_NE(status.find("CapEff:\t0000000000000000"), std::string::npos);
  EXPECT_EQ(host.Stop(), 0);
}

}  // namespace
}  // namespace keybroker::tokenhost
