#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <tuple>

#include "broker/clock.h"
#include "keybroker/audit/log.h"
#include "keybroker/base/hex.h"
#include "support/broker_fixture.h"

namespace keybroker {
namespace {

using test::BrokerClient;
using test::EcKey;
using test::Outcome;

// FullDisk makes every file of this process as full as it is: writes fail as on a full disk.
class FullDisk {
 public:
  explicit FullDisk(uint64_t size) {
    ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit full{size, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &full);
  }
  ~FullDisk() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

class Audit : public test::BrokerTest {
 protected:
  using Counts = std::map<std::tuple<std::string, std::string, std::string>, uint64_t>;

  void SetUp() override {
    token_ = &AddToken("soft");
    token_->SetKeys({EcKey("a.example.test", 1)});
    token_->Start();
    WriteListener("https", Bind("a.example.test"));
  }

  std::filesystem::path File() const { return dir_ / "state/broker/audit.log"; }

  // Recorded sums the records of requests: (action, decision, result) -> count. lines counts them.
  Counts Recorded(size_t* lines = nullptr) {
    Counts counts;
    std::ifstream file(File());
    for (std::string line; std::getline(file, line);) {
      const auto record = nlohmann::json::parse(line);
      if (record.value("subject", "") == "keybrokerd") continue;
      counts[{record.value("action", ""), record.value("decision", ""),
              record.value("result", "")}] += record.value("count", uint64_t{1});
      if (lines != nullptr) ++*lines;
    }
    return counts;
  }

  // RecordsOf gives the lines about a listener.
  std::vector<std::string> RecordsOf(const std::string& listener) {
    std::vector<std::string> records;
    std::ifstream file(File());
    for (std::string line; std::getline(file, line);) {
      if (nlohmann::json::parse(line).value("subject", "") == listener) records.push_back(line);
    }
    return records;
  }

  void ExpectTheChainHolds() {
    const auto report = audit::Verify(File());
    ASSERT_TRUE(report) << report.error().detail;
    EXPECT_TRUE(report->findings.empty()) << report->findings.front().text;
  }

  Outcome SignOnce(BrokerClient& client, size_t size = 32) {
    return client.Sign(EcKey("", 1).ref(), CKM_ECDSA, std::vector<uint8_t>(size, 1));
  }

  test::FakeTokenhost* token_ = nullptr;
};

TEST_F(Audit, RecordsEachSignatureWithWhoAndWhat) {
  Start();
  BrokerClient client = ClientOf("https");
  for (int i = 0; i < 7; ++i) ASSERT_EQ(SignOnce(client).signature.size(), 64U);
  Stop();
  size_t lines = 0;
  EXPECT_EQ(Recorded(&lines), (Counts{{{"sign", "granted", "ok"}, 7}}));
  EXPECT_EQ(lines, 7U);
  std::ifstream file(File());
  std::string line;
  std::getline(file, line);  // the start
  std::getline(file, line);
  const auto record = nlohmann::json::parse(line);
  EXPECT_EQ(record.at("subject"), "https");
  EXPECT_EQ(record.at("uid"), ::geteuid());
  EXPECT_EQ(record.at("pid"), ::getpid());
  EXPECT_EQ(record.at("key"), "a.example.test");
  EXPECT_EQ(record.at("key_id"), "00000001");
  EXPECT_EQ(record.at("mechanism"), "CKM_ECDSA");
  ExpectTheChainHolds();
}

// No signature is lost between one file and the next.
TEST_F(Audit, BeginsANewLogWhereTheOldOneIsFull) {
  Set("audit", "rotate_mib = 1");
  Start();
  BrokerClient client = ClientOf("https");
  uint64_t signatures = 0;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  while (audit::OlderFiles(File()).empty() && std::chrono::steady_clock::now() < deadline) {
    ASSERT_EQ(SignOnce(client).signature.size(), 64U);
    ++signatures;
  }
  Stop();
  const auto older = audit::OlderFiles(File());
  ASSERT_EQ(older.size(), 1U);
  EXPECT_GE(std::filesystem::file_size(older.front()), uint64_t{1} << 20);
  const auto before = audit::Verify(older.front());
  const auto now = audit::Verify(File());
  ASSERT_TRUE(before && now);
  EXPECT_TRUE(before->findings.empty());
  EXPECT_EQ(now->continues, audit::LinkText(older.front(), before->head));
  ExpectTheChainHolds();
  // Beside the signatures: start, continues, stop.
  EXPECT_EQ(before->records + now->records, signatures + 3);
}

TEST_F(Audit, SumsSignaturesPerSecondWhenToldTo) {
  Set("audit", "signatures = \"per-second\"");
  Start();
  BrokerClient client = ClientOf("https");
  for (int i = 0; i < 500; ++i) ASSERT_EQ(SignOnce(client).signature.size(), 64U);
  Stop();
  size_t lines = 0;
  EXPECT_EQ(Recorded(&lines), (Counts{{{"sign", "granted", "ok"}, 500}}));
  EXPECT_LT(lines, 100U);
  ExpectTheChainHolds();
}

TEST_F(Audit, RecordsTheFirstRefusalsOfASecondOneByOneAndSumsTheRest) {
  Start();
  BrokerClient client = ClientOf("https");
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(SignOnce(client, 31).failure);
  Stop();
  size_t lines = 0;
  EXPECT_EQ(Recorded(&lines), (Counts{{{"refuse", "data-wrong", "CKR_DATA_INVALID"}, 1000}}));
  EXPECT_GE(lines, 6U);
  EXPECT_LT(lines, 500U);
  ExpectTheChainHolds();
}

TEST_F(Audit, LetsNoListenerHideTheRefusalsOfAnother) {
  WriteListener("flood", Bind("a.example.test"));
  Start();
  BrokerClient flood = ClientOf("flood");
  BrokerClient client = ClientOf("https");
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(SignOnce(flood, 31).failure);
  ASSERT_TRUE(SignOnce(client, 31).failure);
  Stop();
  EXPECT_THAT(RecordsOf("https"),
              testing::ElementsAre(testing::HasSubstr("\"pid\":" + std::to_string(::getpid()))))
      << "one by one: a sum has no pid";
}

TEST_F(Audit, RecordsWhichKeyWasAskedForInVain) {
  Start();
  BrokerClient client = ClientOf("https");
  const auto unknown = EcKey("", 77).ref();
  ASSERT_TRUE(client.Sign(unknown, CKM_ECDSA, std::vector<uint8_t>(32, 1)).failure);
  Stop();
  EXPECT_THAT(RecordsOf("https"),
              testing::ElementsAre(
                  testing::AllOf(testing::HasSubstr("\"decision\":\"key-not-bound\""),
                                 testing::HasSubstr("\"detail\":\"key " + Hex(unknown) + "\""))));
}

TEST_F(Audit, RecordsARequestThatWaitedInVainForItsToken) {
  Set("broker", "workers = 2");
  AddToken("other").Start();
  Start();
  token_->Hold();
  BrokerClient stuck = ClientOf("https");
  const auto key = EcKey("", 1).ref();
  ASSERT_TRUE(stuck.SendSign(key, CKM_ECDSA, std::vector<uint8_t>(32, 1)));
  ASSERT_TRUE(token_->AwaitSigns(1));
  BrokerClient waiting = ClientOf("https");
  ASSERT_TRUE(waiting
                  .Sign(key, CKM_ECDSA, std::vector<uint8_t>(32, 1), std::nullopt,
                        broker::MonotonicMs() + 200)
                  .failure);
  token_->Release();
  EXPECT_EQ(stuck.ReadOutcome().signature.size(), 64U);
  Stop();
  EXPECT_EQ(Recorded(),
            (Counts{{{"sign", "granted", "ok"}, 1}, {{"fail", "granted", "expired"}, 1}}));
  EXPECT_THAT(RecordsOf("https"),
              testing::Contains(testing::AllOf(testing::HasSubstr("\"result\":\"expired\""),
                                               testing::HasSubstr("\"key\":\"a.example.test\""),
                                               testing::HasSubstr("CKM_ECDSA"))));
  ExpectTheChainHolds();
}

TEST_F(Audit, RefusesSignaturesWhileTheDiskIsFullAndGoesOnAfterwards) {
  Start();
  BrokerClient client = ClientOf("https");
  ASSERT_EQ(SignOnce(client).signature.size(), 64U);
  {
    const FullDisk full(std::filesystem::file_size(File()));
    for (int i = 0; i < 3; ++i) {
      const Outcome outcome = SignOnce(client);
      ASSERT_TRUE(outcome.failure);
      EXPECT_EQ(outcome.failure->code, ErrorCode::kUnavailable);
    }
    EXPECT_EQ(token_->signs(), 2U) << "after the first failure the token is not even asked";
    EXPECT_EQ(Status().at("audit").at("writing"), false);
  }
  ASSERT_TRUE(Eventually([&] { return Status().at("audit").at("writing") == true; }));
  EXPECT_EQ(SignOnce(client).signature.size(), 64U);
  Stop();
  ExpectTheChainHolds();
  EXPECT_THAT(test::ReadAll(File()), testing::HasSubstr("audit-gap"));
}

TEST_F(Audit, SignsOnWhileTheDiskIsFullWhenToldTo) {
  Set("audit", "on_failure = \"continue\"");
  Start();
  BrokerClient client = ClientOf("https");
  ASSERT_EQ(SignOnce(client).signature.size(), 64U);
  {
    const FullDisk full(std::filesystem::file_size(File()));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(SignOnce(client).signature.size(), 64U);
    EXPECT_EQ(Status().at("audit").at("unrecorded"), 3);
  }
  ASSERT_TRUE(Eventually([&] { return Status().at("audit").at("writing") == true; }));
  Stop();
  ExpectTheChainHolds();
}

TEST_F(Audit, HasOneWriter) {
  Start();
  // Other sockets, the same chain.
  auto settings = LoadSettings();
  settings.runtime_dir = dir_ / "run2";
  auto prepared = broker::Prepare(settings, {});
  ASSERT_TRUE(prepared) << prepared.error().detail;
  const auto second = broker::Server::Start(std::move(*prepared));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
}

}  // namespace
}  // namespace keybroker
