#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "support/module_fixture.h"

namespace keybroker::module {
namespace {

// kIdle connections are kept for later signatures; a burst's others are closed.
constexpr size_t kIdle = 64;

class Threads : public test::ModuleTest {
 protected:
  void StartAndFind() {
    Start({key_});
    session_ = Open();
    handle_ = PrivateKey(session_, key_);
  }
  // SignTogether has that many threads wait for their signature at the same time.
  void SignTogether(size_t count) {
    const size_t before = broker_.signs();
    broker_.Hold();
    std::vector<std::thread> threads;
    for (size_t i = 0; i < count; ++i) {
      threads.emplace_back([this] {
        const CK_SESSION_HANDLE session = Open();
        EXPECT_EQ(SignDigest(session, handle_).bytes, RightSignature(key_, Digest()));
        EXPECT_EQ(api_->C_CloseSession(session), CKR_OK);
      });
    }
    EXPECT_TRUE(broker_.AwaitSigns(before + count)) << "none waits for another";
    broker_.Release();
    for (auto& thread : threads) thread.join();
  }

  const test::FakeKey key_ = test::EcKey("a.example.test", 1);
  CK_SESSION_HANDLE session_ = CK_INVALID_HANDLE;
  CK_OBJECT_HANDLE handle_ = CK_INVALID_HANDLE;
};

TEST_F(Threads, UseAConnectionForEachSignatureUnderWay) {
  StartAndFind();
  SignTogether(8);
  EXPECT_EQ(broker_.connections(), 8u);
  SignTogether(8);
  EXPECT_EQ(broker_.connections(), 8u) << "used again";
  for (int i = 0; i < 20; ++i) EXPECT_EQ(SignDigest(session_, handle_).rv, CKR_OK);
  EXPECT_EQ(broker_.connections(), 8u);
}

TEST_F(Threads, KeepABoundedNumberOfIdleConnections) {
  StartAndFind();
  SignTogether(kIdle + 16);
  EXPECT_EQ(broker_.connections(), kIdle + 16);
  EXPECT_TRUE(broker_.AwaitOpen(kIdle));
  SignTogether(kIdle);
  EXPECT_EQ(broker_.connections(), kIdle + 16);
}

TEST_F(Threads, GetTheirOwnAnswers) {
  std::vector<test::FakeKey> keys;
  for (uint32_t i = 1; i <= 8; ++i) {
    keys.push_back(test::EcKey("k" + std::to_string(i) + ".example.test", i));
  }
  Start(keys);
  std::vector<std::thread> threads;
  for (const test::FakeKey& key : keys) {
    threads.emplace_back([this, &key] {
      const CK_SESSION_HANDLE session = Open();
      const CK_OBJECT_HANDLE handle = PrivateKey(session, key);
      for (int i = 0; i < 25; ++i) {
        std::vector<uint8_t> digest(32, static_cast<uint8_t>(i));
        EXPECT_EQ(Sign(session, handle, {CKM_ECDSA, nullptr, 0}, digest).bytes,
                  RightSignature(key, digest));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(broker_.connections(), 8u);
}

TEST_F(Threads, SearchWhileTheCatalogueChanges) {
  StartAndFind();
  std::atomic<bool> stop = false;
  std::thread changer([&] {
    for (uint32_t i = 2; !stop; ++i) broker_.SetKeys({key_, test::EcKey("other", i)});
  });
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this] {
      const CK_SESSION_HANDLE session = Open();
      for (int round = 0; round < 15; ++round) {
        EXPECT_EQ(PrivateKey(session, key_), handle_);
        CK_ATTRIBUTE label = {CKA_LABEL, nullptr, 0};
        EXPECT_EQ(api_->C_GetAttributeValue(session, handle_, &label, 1), CKR_OK);
        EXPECT_EQ(SignDigest(session, handle_).rv, CKR_OK);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  stop = true;
  changer.join();
}

// Each thread signs once between two restarts, at least: a budget that is spent is another test's.
TEST_F(Threads, LoseNoSignatureToABrokerThatRestarts) {
  constexpr int kThreads = 8;
  constexpr int kRestarts = 10;
  StartAndFind();
  std::mutex mutex;
  std::condition_variable progress;
  std::vector<int> restarts_seen(kThreads, -1);
  int restarts = 0;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      const CK_SESSION_HANDLE session = Open();
      for (int seen = 0; seen < kRestarts;) {
        {
          std::lock_guard lock(mutex);
          seen = restarts;
        }
        EXPECT_EQ(SignDigest(session, handle_).bytes, RightSignature(key_, Digest()));
        std::lock_guard lock(mutex);
        restarts_seen[i] = seen;
        progress.notify_one();
      }
    });
  }
  while (restarts < kRestarts) {
    std::unique_lock lock(mutex);
    progress.wait(lock, [&] {
      return std::all_of(restarts_seen.begin(), restarts_seen.end(),
                         [&](int seen) { return seen == restarts; });
    });
    ++restarts;
    lock.unlock();
    broker_.Restart();
  }
  for (auto& thread : threads) thread.join();
}

// A session is for one thread at a time: whoever comes second waits.
TEST_F(Threads, CloseASessionAfterTheCallInsideIt) {
  for (const bool all : {false, true}) {
    SCOPED_TRACE(all);
    ASSERT_NO_FATAL_FAILURE(StartAndFind());
    broker_.Hold();
    const size_t before = broker_.signs();
    test::Signed made;
    std::thread signer([&] { made = SignDigest(session_, handle_); });
    ASSERT_TRUE(broker_.AwaitSigns(before + 1));
    std::thread closer([&] {
      EXPECT_EQ(all ? api_->C_CloseAllSessions(0) : api_->C_CloseSession(session_), CKR_OK);
    });
    broker_.Release();
    signer.join();
    closer.join();
    EXPECT_EQ(made.rv, CKR_OK);
    CK_SESSION_INFO info{};
    EXPECT_EQ(api_->C_GetSessionInfo(session_, &info), CKR_SESSION_HANDLE_INVALID);
    ASSERT_EQ(api_->C_Finalize(nullptr), CKR_OK);
    broker_.Kill();
  }
}

TEST_F(Threads, MayFightOverOneSession) {
  StartAndFind();
  std::atomic<int> signed_count = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        const auto made = SignDigest(session_, handle_);
        EXPECT_TRUE(made.rv == CKR_OK || made.rv == CKR_OPERATION_ACTIVE ||
                    made.rv == CKR_OPERATION_NOT_INITIALIZED)
            << made.rv;
        if (made.rv == CKR_OK) ++signed_count;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_GT(signed_count, 0);
}

TEST_F(Threads, OpenAndCloseSessionsTogether) {
  Start({key_});
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this] {
      for (int round = 0; round < 100; ++round) {
        std::set<CK_SESSION_HANDLE> mine;
        for (int k = 0; k < 20; ++k) EXPECT_TRUE(mine.insert(Open()).second);
        for (const CK_SESSION_HANDLE session : mine) {
          EXPECT_EQ(api_->C_CloseSession(session), CKR_OK);
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CK_TOKEN_INFO info{};
  ASSERT_EQ(api_->C_GetTokenInfo(0, &info), CKR_OK);
  EXPECT_EQ(info.ulSessionCount, 0u);
}

}  // namespace
}  // namespace keybroker::module
