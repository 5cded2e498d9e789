#include <atomic>
#include <chrono>
#include <thread>

#include "support/module_fixture.h"

namespace keybroker::module {
namespace {

using std::chrono::seconds;
using test::BrokerRequest;
using test::Deed;
using Clock = std::chrono::steady_clock;

// C_Finalize while other threads are inside the module.
class Finalization : public test::ModuleTest {
 protected:
  void StartAndFind() {
    Start({key_});
    session_ = Open();
    handle_ = PrivateKey(session_, key_);
  }
  void ExpectQuickFinalize() {
    const auto start = Clock::now();
    EXPECT_EQ(api_->C_Finalize(nullptr), CKR_OK);
    EXPECT_LT(Clock::now() - start, seconds(5));
  }

  const test::FakeKey key_ = test::EcKey("a.example.test", 1);
  CK_SESSION_HANDLE session_ = CK_INVALID_HANDLE;
  CK_OBJECT_HANDLE handle_ = CK_INVALID_HANDLE;
};

TEST_F(Finalization, WakesEveryCallThatWaitsForASignature) {
  StartAndFind();
  broker_.Hold();
  std::vector<CK_RV> results(8, CKR_OK);
  std::vector<std::thread> threads;
  for (CK_RV& rv : results) {
    threads.emplace_back([&] { rv = SignDigest(Open(), handle_).rv; });
  }
  ASSERT_TRUE(broker_.AwaitSigns(results.size()));
  ExpectQuickFinalize();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(results, std::vector<CK_RV>(8, CKR_CRYPTOKI_NOT_INITIALIZED));
  broker_.Release();
  EXPECT_TRUE(broker_.AwaitOpen(0)) << "no connection is left";
}

TEST_F(Finalization, WakesACallThatWaitsForAGreeting) {
  std::atomic<bool> greeted = false;
  broker_.SetScript([&](const BrokerRequest&) {
    greeted = true;
    return Deed{Deed::Kind::kIgnore, {}, false};
  });
  Start({key_});
  session_ = Open();
  std::thread caller([this] {
    EXPECT_EQ(api_->C_FindObjectsInit(session_, nullptr, 0), CKR_CRYPTOKI_NOT_INITIALIZED);
  });
  while (!greeted) std::this_thread::yield();
  ExpectQuickFinalize();
  caller.join();
}

TEST_F(Finalization, WakesACallThatWaitsForABroker) {
  StartAndFind();
  broker_.Kill();
  std::atomic<bool> inside = false;
  std::thread caller([&] {
    inside = true;
    const CK_RV rv = SignDigest(session_, handle_).rv;
    EXPECT_TRUE(rv == CKR_CRYPTOKI_NOT_INITIALIZED || rv == CKR_SESSION_HANDLE_INVALID) << rv;
  });
  while (!inside) std::this_thread::yield();
  ExpectQuickFinalize();
  caller.join();
}

TEST_F(Finalization, ClosesEveryConnection) {
  StartAndFind();
  EXPECT_TRUE(broker_.AwaitOpen(1));
  ExpectQuickFinalize();
  EXPECT_TRUE(broker_.AwaitOpen(0));
}

TEST_F(Finalization, IsFollowedByAFreshStart) {
  StartAndFind();
  const CK_SESSION_HANDLE old = session_;
  ExpectQuickFinalize();
  ASSERT_EQ(InitializeAt(socket_), CKR_OK);
  session_ = Open();
  EXPECT_EQ(SignDigest(old, handle_).rv, CKR_SESSION_HANDLE_INVALID);
  EXPECT_EQ(SignDigest(session_, handle_).rv, CKR_OK) << "object handles follow from the key";
}

// Hosts that tear down at exit do it under their own threads.
TEST_F(Finalization, MayComeAtAnyMoment) {
  StartAndFind();
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        CK_SESSION_HANDLE session = 0;
        CK_RV rv = api_->C_OpenSession(0, CKF_SERIAL_SESSION, nullptr, nullptr, &session);
        if (rv == CKR_OK) rv = SignDigest(session, handle_).rv;
        EXPECT_TRUE(rv == CKR_OK || rv == CKR_CRYPTOKI_NOT_INITIALIZED ||
                    rv == CKR_SESSION_HANDLE_INVALID || rv == CKR_OPERATION_NOT_INITIALIZED)
            << rv;
        CK_TOKEN_INFO info{};
        api_->C_GetTokenInfo(0, &info);
        api_->C_CloseSession(session);
      }
    });
  }
  for (int round = 0; round < 200; ++round) {
    EXPECT_EQ(api_->C_Finalize(nullptr), CKR_OK);
    EXPECT_EQ(InitializeAt(socket_), CKR_OK);
  }
  stop = true;
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(api_->C_Finalize(nullptr), CKR_OK);
  EXPECT_TRUE(broker_.AwaitOpen(0));
  ASSERT_EQ(InitializeAt(socket_), CKR_OK);
  EXPECT_EQ(SignDigest(Open(), handle_).rv, CKR_OK);
}

TEST_F(Finalization, HappensOnceOfManyThatCallIt) {
  StartAndFind();
  std::atomic<int> done = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      const CK_RV rv = api_->C_Finalize(nullptr);
      EXPECT_TRUE(rv == CKR_OK || rv == CKR_CRYPTOKI_NOT_INITIALIZED);
      done += rv == CKR_OK ? 1 : 0;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(done, 1);
}

}  // namespace
}  // namespace keybroker::module
