#include <gmock/gmock.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "broker/clock.h"
#include "broker/token_gate.h"
#include "support/broker_fixture.h"

namespace keybroker {
namespace {

using broker::MonotonicMs;
using test::BrokerClient;
using test::Digest32;
using test::EcKey;
using test::FakeSignature;
using test::Outcome;

constexpr size_t kClients = 8;

// Rounds counts each client's answers, so that a test can wait until every one of them has moved
// on.
class Rounds {
 public:
  void Count(size_t client) {
    std::lock_guard lock(mutex_);
    ++answers_[client];
    changed_.notify_all();
  }

  // AwaitOneMoreOfEach is false when a client got no answer in half a minute.
  bool AwaitOneMoreOfEach() {
    std::unique_lock lock(mutex_);
    const auto before = answers_;
    return changed_.wait_for(lock, std::chrono::seconds(30), [&] {
      return std::equal(before.begin(), before.end(), answers_.begin(), std::less<>());
    });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::array<uint64_t, kClients> answers_{};
};

class Outage : public test::BrokerTest {
 protected:
  void SetUp() override {
    token_ = &AddToken("soft");
    token_->SetKeys({EcKey("a.example.test", 1)});
    token_->Start();
    WriteListener("https", Bind("a.example.test"));
  }

  Outcome SignOnce(BrokerClient& client, uint64_t deadline_ms = 0) {
    return client.Sign(key_, CKM_ECDSA, Digest32(), std::nullopt, deadline_ms);
  }

  test::FakeTokenhost* token_ = nullptr;
  const wire::KeyRef key_ = EcKey("", 1).ref();
};

// Every client gets an answer between two deaths: a request that one death after the other hits is
// given up (kMaxSends), which is another test's matter.
TEST_F(Outage, IsNotSeenByListenersWhenItIsShorterThanTheBudget) {
  Set("broker", "unavailable_budget_ms = 30000");
  Start();
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  Rounds rounds;
  std::vector<std::thread> load;
  for (uint8_t i = 0; i < kClients; ++i) {
    load.emplace_back([&, i] {
      BrokerClient client = ClientOf("https");
      for (uint8_t j = 0; !stop.load(); ++j) {
        const auto digest = Digest32(static_cast<uint8_t>(i + j));
        const auto outcome = client.Sign(key_, CKM_ECDSA, digest);
        if (outcome.signature != FakeSignature(key_, digest, 64)) wrong.fetch_add(1);
        rounds.Count(i);
      }
    });
  }
  bool moved_on = rounds.AwaitOneMoreOfEach();
  for (int i = 0; i < 5 && moved_on; ++i) {
    token_->Kill();
    token_->Start();
    moved_on = rounds.AwaitOneMoreOfEach() && rounds.AwaitOneMoreOfEach();
  }
  stop.store(true);
  for (auto& thread : load) thread.join();
  EXPECT_TRUE(moved_on) << "a client got no answer";
  EXPECT_EQ(wrong.load(), 0);
}

TEST_F(Outage, RepeatsWhatWasInFlightWhenTheTokenhostDied) {
  Set("broker", "unavailable_budget_ms = 30000");
  Start();
  token_->Hold();
  BrokerClient client = ClientOf("https");
  ASSERT_TRUE(client.SendSign(key_, CKM_ECDSA, Digest32()));
  ASSERT_TRUE(token_->AwaitSigns(1));
  token_->Kill();
  token_->Release();
  token_->Start();
  EXPECT_EQ(client.ReadOutcome().signature, FakeSignature(key_, Digest32(), 64));
  EXPECT_EQ(token_->signs(), 2U);
}

TEST_F(Outage, FailsAtOnceWhenTheBudgetIsSpentAndRecoversByItself) {
  Set("broker", "unavailable_budget_ms = 300");
  Start();
  BrokerClient client = ClientOf("https");
  ASSERT_EQ(SignOnce(client).signature.size(), 64U);
  token_->Kill();
  const uint64_t start = MonotonicMs();
  const Outcome first = SignOnce(client);
  ASSERT_TRUE(first.failure);
  EXPECT_EQ(first.failure->code, ErrorCode::kUnavailable);
  EXPECT_LT(MonotonicMs() - start, 5000U) << "the budget of 300 ms, generously";
  // Fifty that each waited 300 ms would take 15 s.
  const uint64_t spent = MonotonicMs();
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(SignOnce(client).failure);
  EXPECT_LT(MonotonicMs() - spent, 5000U);
  token_->Start();
  // No request has to try: the broker notices in the background.
  ASSERT_TRUE(Eventually([&] { return Status().at("tokens")[0].at("away_ms") == 0; }));
  EXPECT_EQ(SignOnce(client).signature.size(), 64U);
}

TEST_F(Outage, EndsARequestAtItsOwnDeadline) {
  Set("broker", "unavailable_budget_ms = 30000");
  Start();
  BrokerClient client = ClientOf("https");
  token_->Kill();
  const uint64_t start = MonotonicMs();
  const Outcome outcome = SignOnce(client, start + 200);
  ASSERT_TRUE(outcome.failure);
  EXPECT_EQ(outcome.failure->code, ErrorCode::kUnavailable);
  EXPECT_LT(MonotonicMs() - start, 10000U);
}

TEST_F(Outage, IsNoReasonToRepeatForEverWhatEndsTheTokenhost) {
  Set("broker", "unavailable_budget_ms = 30000");
  token_->SetOnSign([](const wire::Header&, const wire::SignRequest&) {
    return std::optional(std::vector<uint8_t>());  // the connection ends, each time
  });
  Start();
  BrokerClient client = ClientOf("https");
  const Outcome outcome = SignOnce(client);
  ASSERT_TRUE(outcome.failure);
  EXPECT_EQ(outcome.failure->code, ErrorCode::kUnavailable);
  EXPECT_EQ(token_->signs(), 3U);
}

TEST_F(Outage, OfTheTokenItselfIsWaitedForToo) {
  Set("broker", "unavailable_budget_ms = 30000");
  std::atomic<int> asked{0};
  token_->SetOnSign([&](const wire::Header& header,
                        const wire::SignRequest&) -> std::optional<std::vector<uint8_t>> {
    if (asked.fetch_add(1) >= 2) return std::nullopt;
    std::vector<uint8_t> message(64);
    wire::FrameWriter frame(message,
                            {wire::MessageType::kFailure, header.version, header.request_id});
    wire::Encode(wire::Failure{ErrorCode::kUnavailable, 0}, frame.body());
    message.resize(frame.Finish());
    return message;
  });
  Start();
  BrokerClient client = ClientOf("https");
  EXPECT_EQ(SignOnce(client).signature.size(), 64U);
  EXPECT_EQ(asked.load(), 3);
}

// Answering gives a tokenhost's Failure, counted, in the place of a signature.
test::FakeTokenhost::OnSign Answering(wire::Failure failure, std::atomic<int>* asked) {
  return [=](const wire::Header& header, const wire::SignRequest&) {
    asked->fetch_add(1);
    std::vector<uint8_t> message(64);
    wire::FrameWriter frame(message,
                            {wire::MessageType::kFailure, header.version, header.request_id});
    wire::Encode(failure, frame.body());
    message.resize(frame.Finish());
    return std::optional(message);
  };
}

TEST_F(Outage, IsNotWhatARequestMeansWhoseOwnTimeIsOver) {
  Set("broker", "unavailable_budget_ms = 30000");
  std::atomic<int> asked{0};
  token_->SetOnSign(Answering({ErrorCode::kUnavailable, wire::kDeadlinePassed}, &asked));
  Start();
  testing::internal::CaptureStderr();
  BrokerClient client = ClientOf("https");
  const Outcome outcome = SignOnce(client, MonotonicMs() + 5000);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  ASSERT_TRUE(outcome.failure);
  EXPECT_EQ(outcome.failure->code, ErrorCode::kUnavailable);
  EXPECT_EQ(asked.load(), 1);
}

TEST_F(Outage, IsNotWhatTheBrokerSeesOnlyAfterTheRequestsDeadline) {
  Set("broker", "unavailable_budget_ms = 30000");
  Start();
  const uint64_t deadline = MonotonicMs() + 300;
  token_->SetOnSign([=](const wire::Header&, const wire::SignRequest&) {
    Eventually([=] { return MonotonicMs() > deadline; });
    return std::optional(std::vector<uint8_t>());  // the connection ends, each time
  });
  testing::internal::CaptureStderr();
  BrokerClient client = ClientOf("https");
  EXPECT_TRUE(SignOnce(client, deadline).failure);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(TokenGate, LogsATokenThatComesAndGoesAFewTimesASecond) {
  broker::TokenGate gate("soft", "/nowhere", 1000);
  testing::internal::CaptureStderr();
  for (int i = 0; i < 1000; ++i) {
    gate.NoteLoss(broker::TokenGate::Loss::kToken, "it is tired");
    gate.NoteWorking();
  }
  gate.lines().Tick();
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), broker::LogLimiter::kLines + 1);
  EXPECT_THAT(said, testing::HasSubstr("1990 more lines like these were left out"));
}

TEST_F(Outage, OfOneHungTokenLeavesAWorkerForTheOthers) {
  Set("broker", "workers = 2\nrequest_deadline_ms = 30000");
  auto& other = AddToken("other");
  other.SetKeys({EcKey("b.example.test", 2)});
  other.Start();
  WriteListener("https", Bind("a.example.test") + Bind("b.example.test"));
  Start();
  token_->Hold();
  std::vector<BrokerClient> stuck(6);
  for (auto& client : stuck) {
    client = ClientOf("https");
    ASSERT_TRUE(client.SendSign(key_, CKM_ECDSA, Digest32()));
  }
  ASSERT_TRUE(token_->AwaitSigns(1));
  BrokerClient lucky = ClientOf("https");
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(lucky.Sign(EcKey("", 2).ref(), CKM_ECDSA, Digest32()).signature.size(), 64U);
  }
  EXPECT_EQ(token_->signs(), 1U) << "the others wait in the broker";
  token_->Release();
  for (auto& client : stuck) EXPECT_EQ(client.ReadOutcome().signature.size(), 64U);
}

TEST_F(Outage, AnswersWaitingRequestsAtTheirDeadlineWhileTheTokenHangs) {
  Set("broker", "workers = 2\nrequest_deadline_ms = 30000");
  AddToken("other").Start();
  Start();
  token_->Hold();
  BrokerClient stuck = ClientOf("https");
  ASSERT_TRUE(stuck.SendSign(key_, CKM_ECDSA, Digest32()));
  ASSERT_TRUE(token_->AwaitSigns(1));
  BrokerClient waiting = ClientOf("https");
  const Outcome outcome = SignOnce(waiting, MonotonicMs() + 300);
  ASSERT_TRUE(outcome.failure);
  EXPECT_EQ(outcome.failure->code, ErrorCode::kUnavailable);
  token_->Release();
  EXPECT_EQ(stuck.ReadOutcome().signature.size(), 64U);
  EXPECT_EQ(SignOnce(waiting).signature.size(), 64U) << "its connection goes on";
}

}  // namespace
}  // namespace keybroker
