#include <gmock/gmock.h>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "broker/places.h"
#include "support/broker_fixture.h"

namespace keybroker {
namespace {

using test::BrokerClient;
using test::Digest32;
using test::EcKey;
using test::Outcome;

constexpr size_t kFlood = 60;      // connections of the listener that floods
constexpr size_t kPipelined = 20;  // requests that each of them sends at once
constexpr size_t kWorkers = 3;
constexpr size_t kFewTurns = 2 * kWorkers;  // what is in flight, and one turn for each worker

// Fairness has two listeners, "greedy" with the first key and "patient" with the second.
class Fairness : public test::BrokerTest {
 protected:
  void SetUp() override {
    Set("broker", "workers = " + std::to_string(kWorkers) + "\nrequest_deadline_ms = 60000");
    token_ = &AddToken("soft");
    token_->SetKeys({EcKey("greedy.example.test", 1), EcKey("patient.example.test", 2)});
    token_->SetOnSign([this](const wire::Header&, const wire::SignRequest& request) {
      Note(request.key == patient_);
      return std::nullopt;
    });
    token_->Start();
    WriteListener("greedy", Bind("greedy.example.test"));
    WriteListener("patient", Bind("patient.example.test"));
  }

  // Note is a signature of the token. After kFewTurns of them it waits for the patient listener's:
  // a thread that the machine runs late is not taken for an unfair turn, and what is unfair is not
  // taken for luck.
  void Note(bool patient) {
    std::unique_lock lock(mutex_);
    if (patient) {
      place_ = before_;
      changed_.notify_all();
    } else if (!place_ && ++before_ > kFewTurns) {
      changed_.wait_for(lock, std::chrono::seconds(10), [this] { return place_.has_value(); });
    }
  }

  // Flood sends far more than there is room for, and waits until in_flight requests are at the
  // token, which holds them.
  void Flood(uint64_t in_flight) {
    for (auto& client : flood_) client = ClientOf("greedy");
    token_->Hold();
    for (auto& client : flood_) {
      for (size_t i = 0; i < kPipelined; ++i) {
        ASSERT_TRUE(client.SendSign(greedy_, CKM_ECDSA, Digest32()));
      }
    }
    ASSERT_TRUE(token_->AwaitSigns(in_flight));
  }

  // ExpectItWaitedAFewTurns is about the request of the patient listener, which was signed.
  void ExpectItWaitedAFewTurns() {
    std::lock_guard lock(mutex_);
    ASSERT_TRUE(place_);
    EXPECT_LE(*place_, kFewTurns + kWorkers);
  }

  void ExpectAllAnswered() {
    for (auto& client : flood_) {
      for (size_t i = 0; i < kPipelined; ++i) {
        ASSERT_EQ(client.ReadOutcome().signature.size(), 64U);
      }
    }
  }

  test::FakeTokenhost* token_ = nullptr;
  const wire::KeyRef greedy_ = EcKey("", 1).ref();
  const wire::KeyRef patient_ = EcKey("", 2).ref();
  std::vector<BrokerClient> flood_ = std::vector<BrokerClient>(kFlood);

  std::mutex mutex_;
  std::condition_variable changed_;
  size_t before_ = 0;            // signatures for the greedy listener until the patient one had its
  std::optional<size_t> place_;  // before_ at that time
};

TEST_F(Fairness, LetsAListenerWaitOneTurnHoweverMuchAnotherAsksFor) {
  Start();
  BrokerClient patient = ClientOf("patient");
  Flood(kWorkers);
  ASSERT_TRUE(patient.SendSign(patient_, CKM_ECDSA, Digest32()));
  token_->Release();
  EXPECT_EQ(patient.ReadOutcome().signature.size(), 64U);
  ExpectItWaitedAFewTurns();
  ExpectAllAnswered();
}

TEST_F(Fairness, HoldsForRequestsThatWaitForATokenWithALimit) {
  AddToken("other").Start();
  Start();
  BrokerClient patient = ClientOf("patient");
  Flood(kWorkers - 1);  // all its places; the rest is parked
  ASSERT_TRUE(patient.SendSign(patient_, CKM_ECDSA, Digest32()));
  // It was dealt with before what comes later is.
  ClientOf("patient");
  token_->Release();
  EXPECT_EQ(patient.ReadOutcome().signature.size(), 64U);
  ExpectItWaitedAFewTurns();
  ExpectAllAnswered();
}

TEST_F(Fairness, HoldsNoRequestForOneTokenBehindTheQueueOfAnother) {
  auto& other = AddToken("other");
  other.SetKeys({EcKey("other.example.test", 3)});
  other.Start();
  WriteListener("patient", Bind("other.example.test"));
  Start();
  other.Hold();
  std::vector<BrokerClient> patient(5);
  for (auto& client : patient) {
    client = ClientOf("patient");
    ASSERT_TRUE(client.SendSign(EcKey("", 3).ref(), CKM_ECDSA, Digest32()));
  }
  ASSERT_TRUE(other.AwaitSigns(2));
  Flood(kWorkers - 1);  // the first token answers nothing from here on
  other.Release();
  for (auto& client : patient) EXPECT_EQ(client.ReadOutcome().signature.size(), 64U);
  EXPECT_LE(token_->signs(), kWorkers - 1);
  Note(true);  // nobody waits for it in this test
  token_->Release();
  ExpectAllAnswered();
}

// HungTokens are three tokens, of which any two may hang.
class HungTokens : public Fairness {
 protected:
  void SetUp() override {
    Fairness::SetUp();
    for (uint8_t i = 0; i < 2; ++i) {
      const std::string name = "hung" + std::to_string(i);
      hung_[i] = &AddToken(name);
      hung_[i]->SetKeys({EcKey(name + ".example.test", static_cast<uint8_t>(3 + i))});
      hung_[i]->Start();
    }
    WriteListener("greedy", Bind("hung0.example.test") + Bind("hung1.example.test"));
    Note(true);  // nobody counts turns in these tests
  }

  // Hang lets both hold all they can get.
  void Hang() {
    for (uint8_t i = 0; i < 2; ++i) {
      hung_[i]->Hold();
      for (size_t j = 0; j < 2 * kWorkers; ++j) {
        stuck_.push_back(ClientOf("greedy"));
        const auto key = EcKey("", static_cast<uint8_t>(3 + i)).ref();
        ASSERT_TRUE(stuck_.back().SendSign(key, CKM_ECDSA, Digest32()));
      }
      ASSERT_TRUE(hung_[i]->AwaitSigns(kWorkers - 1));
    }
  }

  // ExpectTheOtherSigns, with all of its places, and that who is new is greeted meanwhile.
  void ExpectTheOtherSigns() {
    token_->Hold();
    std::vector<BrokerClient> clients(kWorkers - 1);
    for (auto& client : clients) {
      client = ClientOf("patient");
      ASSERT_TRUE(client.SendSign(patient_, CKM_ECDSA, Digest32()));
    }
    ASSERT_TRUE(token_->AwaitSigns(kWorkers - 1));
    ClientOf("patient");
    token_->Release();
    for (auto& client : clients) EXPECT_EQ(client.ReadOutcome().signature.size(), 64U);
  }

  void Recover() {
    for (auto* token : hung_) token->Release();
    for (auto& client : stuck_) EXPECT_EQ(client.ReadOutcome().signature.size(), 64U);
  }

  std::array<test::FakeTokenhost*, 2> hung_{};
  std::vector<BrokerClient> stuck_;
};

TEST_F(HungTokens, TakeNoWorkerOfTheOthers) {
  Start();
  Hang();
  ExpectTheOtherSigns();
  Recover();
}

TEST_F(HungTokens, TakeNoneAlsoWhenTheyCameWithAReload) {
  for (const char* name : {"hung0", "hung1"}) {
    std::filesystem::rename(dir_ / ("tokens.d/" + std::string(name) + ".toml"), dir_ / name);
  }
  Start();
  for (const char* name : {"hung0", "hung1"}) {
    std::filesystem::rename(dir_ / name, dir_ / ("tokens.d/" + std::string(name) + ".toml"));
  }
  ASSERT_TRUE(server_->Reload());
  Hang();
  ExpectTheOtherSigns();
  Recover();
}

TEST(Places, AreFewerWhereTheTokenhostsTakeNoMoreConnections) {
  EXPECT_EQ(broker::WorkersFor(4, 1), 4U);
  EXPECT_EQ(broker::PlacesAtEach(1, 2), 1U);
  EXPECT_EQ(broker::WorkersFor(1, 2), 3U);
  for (size_t tokens = 2; tokens < broker::kMostWorkers; ++tokens) {
    const unsigned workers = broker::WorkersFor(64, tokens);
    EXPECT_LE(workers, broker::kMostWorkers);
    EXPECT_EQ(workers, tokens * broker::PlacesAtEach(64, tokens) + 1);
  }
}

// RemovedToken is a second token whose configuration goes while it has requests.
class RemovedToken : public Fairness {
 protected:
  void SetUp() override {
    Fairness::SetUp();
    removed_ = &AddToken("removed");
    removed_->SetKeys({EcKey("removed.example.test", 3)});
    removed_->Start();
    WriteListener("patient", Bind("removed.example.test"));
    Note(true);  // nobody counts turns in these tests
  }

  void RemoveIt() {
    std::filesystem::remove(dir_ / "tokens.d/removed.toml");
    ASSERT_TRUE(server_->Reload());
  }

  test::FakeTokenhost* removed_ = nullptr;
  const wire::KeyRef key_ = EcKey("", 3).ref();
};

TEST_F(RemovedToken, FinishesWhatIsInFlightAndAnswersWhatWaits) {
  Start();
  removed_->Hold();
  std::vector<BrokerClient> clients(6);
  for (auto& client : clients) {
    client = ClientOf("patient");
    ASSERT_TRUE(client.SendSign(key_, CKM_ECDSA, Digest32()));
  }
  ASSERT_TRUE(removed_->AwaitSigns(2));
  ASSERT_TRUE(ClientOf("greedy").Sign(greedy_, CKM_ECDSA, Digest32()).signature.size() == 64U);
  RemoveIt();
  removed_->Release();
  size_t finished = 0;
  for (auto& client : clients) {
    const Outcome outcome = client.ReadOutcome();
    ASSERT_FALSE(outcome.ended);
    if (outcome.signature.size() == 64U) ++finished;
  }
  EXPECT_EQ(finished, 2U);
  EXPECT_EQ(removed_->signs(), 2U);
  const Outcome after = clients[0].Sign(key_, CKM_ECDSA, Digest32());
  ASSERT_TRUE(after.failure);
  EXPECT_EQ(after.failure->rv, CKR_KEY_HANDLE_INVALID);
}

TEST_F(RemovedToken, MayGoAndComeAgainUnderLoad) {
  Start();
  std::atomic<bool> stop{false};
  std::atomic<int> ended{0};
  std::atomic<int> missed{0};
  std::vector<std::thread> load;
  for (int i = 0; i < 8; ++i) {
    load.emplace_back([&, greedy = i % 2 == 0] {
      BrokerClient client = ClientOf(greedy ? "greedy" : "patient");
      while (!stop.load()) {
        const Outcome outcome = client.Sign(greedy ? greedy_ : key_, CKM_ECDSA, Digest32());
        if (outcome.ended) ended.fetch_add(1);
        if (greedy && outcome.signature.size() != 64U) missed.fetch_add(1);
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    RemoveIt();
    test::WriteAll(dir_ / "tokens.d/removed.toml", "# not the broker's business\n");
    EXPECT_TRUE(server_->Reload());
  }
  stop.store(true);
  for (auto& thread : load) thread.join();
  EXPECT_EQ(ended.load(), 0);
  EXPECT_EQ(missed.load(), 0) << "of the token that stayed";
  EXPECT_EQ(ClientOf("patient").Sign(key_, CKM_ECDSA, Digest32()).signature.size(), 64U);
}

}  // namespace
}  // namespace keybroker
