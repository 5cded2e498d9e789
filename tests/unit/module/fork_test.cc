#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "support/module_fixture.h"
#include "support/sanitized.h"

namespace keybroker::module {
namespace {

using test::InChild;

// A process that forked, and its children. Each message names its sender by the kernel's word.
class Forked : public test::ModuleTest {
 protected:
  void StartAndSign() {
    Start({key_});
    session_ = Open();
    handle_ = PrivateKey(session_, key_);
    ExpectSigns();
  }
  void ExpectSigns() {
    const auto made = SignDigest(session_, handle_);
    EXPECT_EQ(made.rv, CKR_OK);
    EXPECT_EQ(made.bytes, RightSignature(key_, Digest()));
  }

  const test::FakeKey key_ = test::EcKey("a.example.test", 1);
  CK_SESSION_HANDLE session_ = CK_INVALID_HANDLE;
  CK_OBJECT_HANDLE handle_ = CK_INVALID_HANDLE;
};

TEST_F(Forked, ChildConnectsAnewAndGoesOnWithoutInitialize) {
  StartAndSign();
  InChild([this] { ExpectSigns(); });
  EXPECT_EQ(broker_.connections(), 2u);
  EXPECT_NE(broker_.Last().pid, ::getpid());
  ExpectSigns();
  EXPECT_EQ(broker_.connections(), 2u) << "the parent's connection is as it was";
  EXPECT_EQ(broker_.Last().pid, ::getpid());
}

TEST_F(Forked, ChildMayInitializeOnce) {
  StartAndSign();
  InChild([this] {
    EXPECT_EQ(api_->C_Initialize(nullptr), CKR_OK);
    EXPECT_EQ(api_->C_Initialize(nullptr), CKR_CRYPTOKI_ALREADY_INITIALIZED);
    ExpectSigns();
  });
  EXPECT_EQ(api_->C_Initialize(nullptr), CKR_CRYPTOKI_ALREADY_INITIALIZED);
}

TEST_F(Forked, ChildMayFinalizeWithoutHarmToItsParent) {
  StartAndSign();
  InChild([this] {
    EXPECT_EQ(api_->C_Finalize(nullptr), CKR_OK);
    EXPECT_EQ(api_->C_CloseSession(session_), CKR_CRYPTOKI_NOT_INITIALIZED);
    EXPECT_EQ(api_->C_Initialize(nullptr), CKR_OK);
    session_ = Open();
    ExpectSigns();
  });
  ExpectSigns();
}

TEST_F(Forked, ChildrensChildrenConnectToo) {
  StartAndSign();
  InChild([this] {
    ExpectSigns();
    InChild([this] {
      ExpectSigns();
      InChild([this] { ExpectSigns(); });
      ExpectSigns();
    });
    ExpectSigns();
  });
  ExpectSigns();
  EXPECT_EQ(broker_.connections(), 4u) << "one for each process";
}

TEST_F(Forked, ChildOfAChildThatNeverCalledConnects) {
  StartAndSign();
  InChild([this] { InChild([this] { ExpectSigns(); }); });
  EXPECT_EQ(broker_.connections(), 2u);
  ExpectSigns();
}

TEST_F(Forked, ChildOfAHostThatOnlyInitializedConnects) {
  Start({key_});
  InChild([this] {
    session_ = Open();
    handle_ = PrivateKey(session_, key_);
    ExpectSigns();
  });
  EXPECT_EQ(broker_.connections(), 1u);
}

TEST_F(Forked, ChildOfAHostThatNeverInitializedMust) {
  broker_.SetKeys({key_});
  broker_.Start();
  InChild([this] {
    CK_ULONG count = 0;
    EXPECT_EQ(api_->C_GetSlotList(CK_FALSE, nullptr, &count), CKR_CRYPTOKI_NOT_INITIALIZED);
    EXPECT_EQ(InitializeAt(socket_), CKR_OK);
    session_ = Open();
    handle_ = PrivateKey(session_, key_);
    ExpectSigns();
  });
}

#if !KB_SANITIZED  // which know no threads in the child of a threaded process
TEST_F(Forked, ChildMayCallFromManyThreadsAtOnce) {
  StartAndSign();
  for (int round = 0; round < 10 && !HasFailure(); ++round) {
    InChild([this] {
      std::vector<std::thread> threads;
      for (int i = 0; i < 4; ++i) {
        threads.emplace_back([this] { EXPECT_EQ(SignDigest(Open(), handle_).rv, CKR_OK); });
      }
      for (auto& thread : threads) thread.join();
    });
  }
}
#endif

TEST_F(Forked, ChildKeepsTheOperationsOfItsSessions) {
  StartAndSign();
  CK_MECHANISM mechanism{CKM_ECDSA_SHA256, nullptr, 0};
  ASSERT_EQ(api_->C_SignInit(session_, &mechanism, handle_), CKR_OK);
  std::vector<uint8_t> part = {1, 2, 3};
  ASSERT_EQ(api_->C_SignUpdate(session_, part.data(), part.size()), CKR_OK);
  const auto finish = [&] {
    std::vector<uint8_t> signature(64);
    CK_ULONG size = signature.size();
    EXPECT_EQ(api_->C_SignFinal(session_, signature.data(), &size), CKR_OK);
    EXPECT_EQ(signature, RightSignature(key_, part));
  };
  InChild(finish);
  finish();
}

TEST_F(Forked, ChildBelievesNoBrokerThatItsParentGaveUpOn) {
  StartAndSign();
  broker_.Kill();
  EXPECT_EQ(SignDigest(session_, handle_).rv, CKR_DEVICE_ERROR) << "the budget is spent";
  broker_.Start();
  InChild([this] { ExpectSigns(); });
}

// Threads of the parent hold every lock now and then: in the middle of calls that sign, search,
// open and close. No child may wait for one that it inherited.
TEST_F(Forked, ChildNeverWaitsForALockOfAThreadThatIsNotThere) {
  StartAndSign();
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      while (!stop) {
        CK_SESSION_HANDLE session = 0;
        api_->C_OpenSession(0, CKF_SERIAL_SESSION, nullptr, nullptr, &session);
        if (i % 2 == 0) {
          SignDigest(session, handle_);
        } else {
          api_->C_FindObjectsInit(session, nullptr, 0);
        }
        api_->C_CloseSession(session);
      }
    });
  }
  for (int round = 0; round < 15 && !HasFailure(); ++round) {
    InChild([this] {
      ExpectSigns();
      const CK_SESSION_HANDLE other = Open();
      EXPECT_EQ(SignDigest(other, handle_).rv, CKR_OK);
      EXPECT_EQ(api_->C_CloseAllSessions(0), CKR_OK);
      EXPECT_EQ(api_->C_Finalize(nullptr), CKR_OK);
    });
  }
  stop = true;
  for (auto& thread : threads) thread.join();
}

// One thread of the parent is inside a call, its session locked, its connection in use.
TEST_F(Forked, ChildOfACallUnderWayLeavesThatCallAlone) {
  StartAndSign();
  broker_.Hold();
  const CK_SESSION_HANDLE busy = Open();
  test::Signed made;
  std::thread caller([&] { made = SignDigest(busy, handle_); });
  ASSERT_TRUE(broker_.AwaitSigns(2));
  InChild([&] {
    // The session is there, without the operation that another process is in the middle of.
    CK_SESSION_INFO info{};
    EXPECT_EQ(api_->C_GetSessionInfo(busy, &info), CKR_OK);
    std::vector<uint8_t> digest = Digest();
    CK_ULONG size = 0;
    EXPECT_EQ(api_->C_Sign(busy, digest.data(), digest.size(), nullptr, &size),
              CKR_OPERATION_NOT_INITIALIZED);
    EXPECT_EQ(Find(busy).size(), 2u);
  });
  broker_.Release();
  caller.join();
  EXPECT_EQ(made.rv, CKR_OK);
  EXPECT_EQ(made.bytes, RightSignature(key_, Digest()));
  EXPECT_EQ(broker_.signs(), 2u) << "nobody made the parent ask again";
}

}  // namespace
}  // namespace keybroker::module
