#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "support/module_fixture.h"

namespace keybroker::module {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::BrokerRequest;
using test::Deed;
using wire::MessageType;
using Clock = std::chrono::steady_clock;

// The process's budget is one second, the probe of a hung broker 100 ms, a request's deadline 10 s
// with half a second of grace. Upper bounds here are generous: the machine may be busy.
class Outages : public test::ModuleTest {
 protected:
  void StartAndFind() {
    Start({key_});
    session_ = Open();
    handle_ = PrivateKey(session_, key_);
  }
  CK_RV SignNow() { return SignDigest(session_, handle_).rv; }
  milliseconds Timed(CK_RV expected) {
    const auto start = Clock::now();
    EXPECT_EQ(SignNow(), expected);
    return std::chrono::duration_cast<milliseconds>(Clock::now() - start);
  }

  const test::FakeKey key_ = test::EcKey("a.example.test", 1);
  CK_SESSION_HANDLE session_ = CK_INVALID_HANDLE;
  CK_OBJECT_HANDLE handle_ = CK_INVALID_HANDLE;
};

TEST_F(Outages, MidCallAreRepairedInsideTheCall) {
  StartAndFind();
  broker_.SetScript([](const BrokerRequest& request) {
    const bool first = request.header.type == MessageType::kSignRequest && request.nth == 1;
    return Deed{first ? Deed::Kind::kEnd : Deed::Kind::kAnswer, {}, false};
  });
  const auto made = SignDigest(session_, handle_);
  EXPECT_EQ(made.rv, CKR_OK);
  EXPECT_EQ(made.bytes, RightSignature(key_, Digest()));
  EXPECT_EQ(broker_.signs(), 2u) << "asked for twice, answered once";
  EXPECT_EQ(broker_.connections(), 2u);
}

TEST_F(Outages, LeaveHandlesSessionsAndOperationsValid) {
  StartAndFind();
  CK_MECHANISM mechanism{CKM_ECDSA, nullptr, 0};
  ASSERT_EQ(api_->C_SignInit(session_, &mechanism, handle_), CKR_OK);
  for (int restart = 0; restart < 3; ++restart) {
    broker_.Kill();
    broker_.Start();
  }
  std::vector<uint8_t> digest = Digest();
  std::vector<uint8_t> signature(64);
  CK_ULONG size = signature.size();
  EXPECT_EQ(api_->C_Sign(session_, digest.data(), digest.size(), signature.data(), &size), CKR_OK);
  EXPECT_EQ(signature, RightSignature(key_, digest));
  EXPECT_EQ(PrivateKey(session_, key_), handle_);
}

// On a busy machine this outage may be longer than the budget: then another is made.
TEST_F(Outages, AreWaitedForWhileACallIsUnderWay) {
  StartAndFind();
  for (int tries = 0; tries < 20; ++tries) {
    const size_t before = broker_.signs();
    broker_.Hold();
    Clock::duration outage{};
    std::thread restarter([&] {
      EXPECT_TRUE(broker_.AwaitSigns(before + 1));
      const auto start = Clock::now();
      broker_.Kill();
      broker_.Release();
      broker_.Start();
      outage = Clock::now() - start;
    });
    const CK_RV rv = SignNow();
    restarter.join();
    if (outage > milliseconds(500)) continue;
    EXPECT_EQ(rv, CKR_OK);
    return;
  }
  FAIL() << "the machine is too busy for an outage of half a second";
}

TEST_F(Outages, OfABrokerThatWasNeverThereEndWhenItComes) {
  ASSERT_EQ(InitializeAt(socket_), CKR_OK);
  session_ = Open();
  EXPECT_EQ(api_->C_FindObjectsInit(session_, nullptr, 0), CKR_DEVICE_ERROR);
  CK_TOKEN_INFO info{};
  EXPECT_EQ(api_->C_GetTokenInfo(0, &info), CKR_TOKEN_NOT_PRESENT);
  broker_.SetKeys({key_});
  broker_.Start();
  EXPECT_EQ(api_->C_GetTokenInfo(0, &info), CKR_OK);
  handle_ = PrivateKey(session_, key_);
  EXPECT_EQ(SignNow(), CKR_OK);
}

TEST_F(Outages, CostTheProcessOneBudget) {
  StartAndFind();
  broker_.Kill();
  const auto first = Timed(CKR_DEVICE_ERROR);
  EXPECT_GE(first, milliseconds(900));
  EXPECT_LT(first, seconds(5));
  // Whatever comes now fails at once, in every thread, session and function.
  const auto start = Clock::now();
  std::vector<std::thread> threads(8);
  for (auto& each : threads) {
    each = std::thread([this] {
      const CK_SESSION_HANDLE session = Open();
      for (int call = 0; call < 10; ++call) {
        EXPECT_EQ(SignDigest(session, handle_).rv, CKR_DEVICE_ERROR);
        EXPECT_EQ(api_->C_FindObjectsInit(session, nullptr, 0), CKR_DEVICE_ERROR);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LT(Clock::now() - start, seconds(10)) << "with a budget each, 20 s in each thread";
  broker_.Start();
  EXPECT_EQ(SignNow(), CKR_OK) << "the first connection closes the breaker";
  broker_.Kill();
  EXPECT_GE(Timed(CKR_DEVICE_ERROR), milliseconds(900)) << "and a new outage has its own budget";
}

TEST_F(Outages, AreWaitedForByAllThreadsSideBySide) {
  StartAndFind();
  broker_.Kill();
  const auto start = Clock::now();
  std::vector<std::thread> threads(8);
  for (auto& each : threads) {
    each = std::thread([this] { EXPECT_EQ(SignDigest(Open(), handle_).rv, CKR_DEVICE_ERROR); });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LT(Clock::now() - start, seconds(6)) << "one after the other, 8 s";
}

// A broker that greets everyone, and then ends: over a bug, or because its supervisor restarts it
// again and again. Connections succeed, requests do not.
TEST_F(Outages, IncludeABrokerThatOnlyGreets) {
  StartAndFind();
  broker_.SetScript([](const BrokerRequest& request) {
    const bool hello = request.header.type == MessageType::kHello;
    return Deed{hello ? Deed::Kind::kAnswer : Deed::Kind::kEnd, {}, false};
  });
  EXPECT_GE(Timed(CKR_DEVICE_ERROR), milliseconds(900));
  const auto start = Clock::now();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(SignNow(), CKR_DEVICE_ERROR);
  EXPECT_LT(Clock::now() - start, seconds(10)) << "with a budget each, 20 s";
  broker_.SetScript(nullptr);
  EXPECT_EQ(SignNow(), CKR_OK);
  broker_.SetScript([](const BrokerRequest& request) {
    const bool spoil = request.header.type == MessageType::kSignRequest && request.nth % 2 == 0;
    return Deed{spoil ? Deed::Kind::kEnd : Deed::Kind::kAnswer, {}, false};
  });
  for (int i = 0; i < 4; ++i) EXPECT_EQ(SignNow(), CKR_OK) << "an answer starts a new budget";
}

// A daemon that restarts the broker's socket takes a moment to accept: connect() says EAGAIN.
TEST_F(Outages, IncludeAFullBacklog) {
  const UniqueFd listening = test::ListenAt(socket_, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket_.c_str(), sizeof address.sun_path - 1);
  std::vector<UniqueFd> queue;
  for (;;) {
    queue.emplace_back(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (::connect(queue.back().get(), reinterpret_cast<const sockaddr*>(&address),
                  sizeof address) != 0) {
      ASSERT_EQ(errno, EAGAIN);
      break;
    }
  }
  ASSERT_EQ(InitializeAt(socket_), CKR_OK);
  session_ = Open();
  const auto start = Clock::now();
  EXPECT_EQ(api_->C_FindObjectsInit(session_, nullptr, 0), CKR_DEVICE_ERROR);
  EXPECT_LT(Clock::now() - start, seconds(5)) << "connect() must not wait for accept()";
  broker_.SetKeys({key_});
  broker_.Start();
  // With the budget spent a connection has a tenth of a second, and the queue is in front of it.
  const auto end = Clock::now() + seconds(60);
  while (api_->C_FindObjectsInit(session_, nullptr, 0) != CKR_OK && Clock::now() < end) {
  }
  ASSERT_EQ(api_->C_FindObjectsFinal(session_), CKR_OK);
  handle_ = PrivateKey(session_, key_);
  EXPECT_EQ(SignNow(), CKR_OK);
}

// Slow: waits out the deadline of a request, ten and a half seconds.
TEST_F(Outages, OfASilentBrokerTripTheBreaker) {
  StartAndFind();
  broker_.SetScript([](const BrokerRequest&) { return Deed{Deed::Kind::kIgnore, {}, false}; });
  const auto first = Timed(CKR_DEVICE_ERROR);
  EXPECT_GE(first, milliseconds(10'000));
  EXPECT_LT(first, seconds(20));
  EXPECT_EQ(broker_.signs(), 1u) << "no second wait for the same signature";
  // It still accepts connections and says nothing: each call looks for 100 ms, no longer.
  EXPECT_LT(Timed(CKR_DEVICE_ERROR), seconds(2));
  EXPECT_LT(Timed(CKR_DEVICE_ERROR), seconds(2));
  EXPECT_EQ(broker_.signs(), 1u);
  broker_.SetScript(nullptr);
  EXPECT_EQ(SignNow(), CKR_OK) << "it speaks again";
}

// The first Hello has the budget, one second, and not the ten of a request.
// After an outage every process connects at once: Hello may take as long as an outage may.
TEST_F(Outages, OfABrokerThatComesBackSlowlyEnd) {
  StartAndFind();
  broker_.Kill();
  EXPECT_EQ(SignNow(), CKR_DEVICE_ERROR);
  broker_.SetScript([](const BrokerRequest& request) {
    const bool slow = request.header.type == MessageType::kHello;
    if (slow) std::this_thread::sleep_for(milliseconds(200));
    return Deed{};
  });
  broker_.Start();
  EXPECT_EQ(SignNow(), CKR_OK);
}

TEST_F(Outages, OfABrokerThatNeverGreetsTripTheBreaker) {
  broker_.SetScript([](const BrokerRequest&) { return Deed{Deed::Kind::kIgnore, {}, false}; });
  Start({key_});
  session_ = Open();
  auto start = Clock::now();
  EXPECT_EQ(api_->C_FindObjectsInit(session_, nullptr, 0), CKR_DEVICE_ERROR);
  EXPECT_GE(Clock::now() - start, milliseconds(900));
  EXPECT_LT(Clock::now() - start, seconds(5)) << "the budget of one second, generously";
  start = Clock::now();
  EXPECT_EQ(api_->C_FindObjectsInit(session_, nullptr, 0), CKR_DEVICE_ERROR);
  EXPECT_LT(Clock::now() - start, seconds(2));
  broker_.SetScript(nullptr);
  handle_ = PrivateKey(session_, key_);
  EXPECT_EQ(SignNow(), CKR_OK);
}

}  // namespace
}  // namespace keybroker::module
