#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <random>

#include "support/broker_fixture.h"

namespace keybroker {
namespace {

using test::BrokerClient;
using test::Digest32;
using test::EcKey;
using test::Outcome;

class HostilePeer : public test::BrokerTest {
 protected:
  void SetUp() override {
    auto& token = AddToken("soft");
    token.SetKeys({EcKey("a.example.test", 1)});
    token.Start();
    WriteListener("https", Bind("a.example.test"));
  }

  // Good is a well-formed SignRequest.
  static std::vector<uint8_t> Good(uint16_t version = 1) {
    std::vector<uint8_t> message(256);
    const auto digest = Digest32();
    wire::FrameWriter frame(message, {wire::MessageType::kSignRequest, version, 5});
    wire::Encode(wire::SignRequest{EcKey("", 1).ref(), CKM_ECDSA, 0, std::nullopt, digest},
                 frame.body());
    message.resize(frame.Finish());
    return message;
  }

  static bool Signs(BrokerClient& client) {
    return client.Sign(EcKey("", 1).ref(), CKM_ECDSA, Digest32()).signature.size() == 64;
  }

  // EndsOnly proves that message ends its own connection and leaves another one alone.
  void EndsOnly(wire::Bytes message) {
    BrokerClient bystander = ClientOf("https");
    BrokerClient hostile = ClientOf("https");
    ASSERT_TRUE(hostile.SendRaw(message));
    EXPECT_TRUE(hostile.Ended());
    EXPECT_TRUE(Signs(bystander));
  }
};

TEST_F(HostilePeer, EndsItsConnectionWithEveryTruncatedMessage) {
  Start();
  const auto good = Good();
  for (size_t size = 0; size < good.size(); ++size) EndsOnly({good.data(), size});
  EXPECT_EQ(ListenerStatus("https").at("bad_messages"), good.size());
}

TEST_F(HostilePeer, IsLoggedOnce) {
  Start();
  const auto good = Good();
  testing::internal::CaptureStderr();
  EndsOnly({good.data(), 5});
  Stop();
  const std::string log = testing::internal::GetCapturedStderr();
  const std::string line = "the connection was closed";
  const size_t first = log.find(line);
  ASSERT_NE(first, std::string::npos) << log;
  EXPECT_EQ(log.find(line, first + 1), std::string::npos) << log;
  EXPECT_NE(log.find("listener https: "), std::string::npos) << log;
}

TEST_F(HostilePeer, EndsItsConnectionWithAByteTooMany) {
  Start();
  auto longer = Good();
  longer.push_back(0);
  EndsOnly(longer);
}

TEST_F(HostilePeer, EndsItsConnectionWithAMessageOverTheLimit) {
  Start();
  EndsOnly(std::vector<uint8_t>(wire::kMaxMessage + 1));
  EndsOnly(std::vector<uint8_t>(wire::kMaxMessage + 4096));
}

TEST_F(HostilePeer, EndsItsConnectionWithAVersionThatWasNotAgreedOn) {
  Start();
  EndsOnly(Good(2));
  EndsOnly(Good(0));
}

TEST_F(HostilePeer, EndsItsConnectionWithMessagesOfOtherSockets) {
  Start();
  for (const auto type : {wire::MessageType::kAdminRequest, wire::MessageType::kUnlockRequest,
                          wire::MessageType::kTokenStatusRequest, wire::MessageType::kSignReply,
                          wire::MessageType::kHelloReply, static_cast<wire::MessageType>(999)}) {
    std::vector<uint8_t> message(64);
    wire::FrameWriter frame(message, {type, 1, 1});
    message.resize(frame.Finish());
    EndsOnly(message);
  }
}

TEST_F(HostilePeer, EndsItsConnectionWhenItAsksBeforeHello) {
  Start();
  BrokerClient client;
  ASSERT_TRUE(client.Connect(Socket("https")));
  ASSERT_TRUE(client.SendRaw(Good()));
  EXPECT_TRUE(client.Ended());
}

TEST_F(HostilePeer, DoesNoHarmWithRandomBytes) {
  Start();
  // The same bytes each time. NOLINTNEXTLINE(cert-msc32-c,cert-msc51-cpp)
  std::mt19937 random(20261123);
  for (int i = 0; i < 300; ++i) {
    auto message = Good();
    if (i % 2 == 0) {
      message.resize(random() % 200);
      for (auto& byte : message) byte = static_cast<uint8_t>(random());
    } else {
      message[random() % message.size()] ^= static_cast<uint8_t>(1 + random() % 255);
    }
    BrokerClient client = ClientOf("https");
    ASSERT_TRUE(client.SendRaw(message));
    // Either a reply or the end; never silence.
    const Outcome outcome = client.ReadOutcome();
    EXPECT_TRUE(outcome.ended || outcome.failure || !outcome.signature.empty());
  }
  BrokerClient client = ClientOf("https");
  EXPECT_TRUE(Signs(client));
}

TEST_F(HostilePeer, MeetsTheHighestCommonVersionOrNone) {
  Start();
  BrokerClient newer;
  ASSERT_TRUE(newer.Connect(Socket("https")));
  const auto hello = newer.Hello(1, 9);  // a later module that still speaks ours
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->version, wire::kVersion);
  EXPECT_EQ(hello->listener, "https");
  EXPECT_TRUE(Signs(newer));

  BrokerClient too_new;
  ASSERT_TRUE(too_new.Connect(Socket("https")));
  std::vector<uint8_t> message(64);
  wire::FrameWriter frame(message, {wire::MessageType::kHello, 0, 3});
  wire::Encode(wire::Hello{7, 9}, frame.body());
  frame.body().U32(0xdeadbeef);  // what a later Hello may add
  ASSERT_TRUE(too_new.SendRaw({message.data(), frame.Finish()}));
  const auto reply = too_new.Read();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->header.type, wire::MessageType::kFailure);
  EXPECT_EQ(reply->header.version, 0);
  EXPECT_TRUE(too_new.Ended());
}

TEST_F(HostilePeer, GetsNoDescriptorIntoTheBroker) {
  Start();
  const size_t before = test::OpenDescriptors();
  for (int i = 0; i < 20; ++i) {
    BrokerClient client = ClientOf("https");
    auto good = Good();
    iovec part{good.data(), good.size()};
    const int fds[3] = {0, 1, 2};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof fds)] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof fds);
    std::memcpy(CMSG_DATA(rights), fds, sizeof fds);
    ASSERT_GT(::sendmsg(client.fd(), &message, MSG_NOSIGNAL), 0);
    EXPECT_TRUE(client.Ended());
  }
  EXPECT_EQ(test::OpenDescriptors(), before);
  EXPECT_EQ(ListenerStatus("https").at("bad_messages"), 20);
}

TEST_F(HostilePeer, IsJudgedByTheUserItIsNowAndNotByTheOneThatConnected) {
  if (::geteuid() != 0) GTEST_SKIP() << "NOT TESTED: changing the uid needs root";
  WriteListener("https", Bind("a.example.test"), "", "\"0\", \"65534\"");
  Start();
  ::chmod(dir_.path().c_str(), 0711);
  BrokerClient client = ClientOf("https");
  EXPECT_TRUE(Signs(client));
  // Each child goes on with the parent's connection under another uid.
  for (const auto& [uid, allowed] : {std::pair<uid_t, bool>{65534, true}, {12345, false}}) {
    const auto good = Good();
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      const bool sent = ::setresuid(uid, uid, uid) == 0 &&
                        ::send(client.fd(), good.data(), good.size(), MSG_NOSIGNAL) > 0;
      ::_exit(sent ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
    const Outcome outcome = client.ReadOutcome();
    if (allowed) {
      EXPECT_EQ(outcome.signature.size(), 64U);
    } else {
      ASSERT_TRUE(outcome.failure);
      EXPECT_EQ(outcome.failure->code, ErrorCode::kDenied);
      EXPECT_EQ(outcome.failure->rv, CKR_FUNCTION_REJECTED);
    }
  }
}

TEST_F(HostilePeer, LearnsNothingWhenItsUserIsNotAmongTheListeners) {
  WriteListener("https", Bind("a.example.test"), "", "\"65533\"");
  Start();
  BrokerClient client;
  ASSERT_TRUE(client.Connect(Socket("https")));
  EXPECT_FALSE(client.Hello());
  EXPECT_EQ(ListenerStatus("https").at("denied"), 1);
}

TEST_F(HostilePeer, IsDisconnectedWhenItDoesNotReadItsReplies) {
  Start();
  BrokerClient client = ClientOf("https");
  BrokerClient bystander = ClientOf("https");
  const auto good = Good();
  // Far more replies than a socket's buffer holds, none of them read.
  for (int i = 0; i < 100000 && client.SendRaw(good); ++i) {
  }
  // Its end of the connection hangs up, whatever is still waiting to be read.
  pollfd end{client.fd(), 0, 0};
  ASSERT_EQ(::poll(&end, 1, 30'000), 1);
  EXPECT_NE(end.revents & POLLHUP, 0);
  EXPECT_TRUE(Signs(bystander));
}

TEST_F(HostilePeer, GetsNoMoreConnectionsThanTheListenerHas) {
  Set("broker", "max_connections = 3");
  Start();
  BrokerClient first = ClientOf("https");
  BrokerClient second = ClientOf("https");
  BrokerClient third = ClientOf("https");
  BrokerClient over;
  ASSERT_TRUE(over.Connect(Socket("https")));
  EXPECT_TRUE(over.Ended());
  EXPECT_EQ(ListenerStatus("https").at("connections_refused"), 1);
  first.Close();
  // The broker answers or ends each attempt; once it has seen the close, it answers.
  BrokerClient again;
  bool admitted = false;
  for (int attempt = 0; attempt < 10'000 && !admitted; ++attempt) {
    again = BrokerClient();
    ASSERT_TRUE(again.Connect(Socket("https")));
    admitted = again.Hello().has_value();
  }
  ASSERT_TRUE(admitted);
  EXPECT_TRUE(Signs(again));
}

}  // namespace
}  // namespace keybroker
