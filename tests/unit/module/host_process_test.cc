#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#include "support/module_fixture.h"

namespace keybroker::module {
namespace {

using test::BrokerRequest;
using test::Deed;
using test::InChild;

size_t ThreadCount() {
  DIR* folder = ::opendir("/proc/self/task");
  size_t count = 0;
  while (const dirent* entry = ::readdir(folder)) count += entry->d_name[0] != '.' ? 1 : 0;
  ::closedir(folder);
  return count;
}

// What the module does to the process around it: nothing.
class HostProcess : public test::ModuleTest {
 protected:
  // Work is a bit of everything, good and bad: refusals, a lost connection, no broker at all.
  void Work() {
    ASSERT_EQ(InitializeAt(socket_), CKR_OK);
    const CK_SESSION_HANDLE session = Open();
    const CK_OBJECT_HANDLE handle = PrivateKey(session, key_);
    for (int i = 0; i < 4; ++i) SignDigest(session, handle);
    CK_TOKEN_INFO info{};
    api_->C_GetTokenInfo(0, &info);
    api_->C_Initialize(nullptr);
    EXPECT_EQ(api_->C_Finalize(nullptr), CKR_OK);
    ASSERT_EQ(InitializeAt(dir_ / "nobody"), CKR_OK);
    EXPECT_EQ(api_->C_FindObjectsInit(Open(), nullptr, 0), CKR_DEVICE_ERROR);
    EXPECT_EQ(api_->C_Finalize(nullptr), CKR_OK);
  }
  void StartMoodyBroker() {
    broker_.SetScript([](const BrokerRequest& request) {
      if (request.header.type != wire::MessageType::kSignRequest) return Deed{};
      if (request.nth % 3 == 0) return Deed{Deed::Kind::kEnd, {}, false};
      if (request.nth % 3 == 1) {
        return Deed{Deed::Kind::kSend, test::FailureAnswer(request, ErrorCode::kDenied, 0), false};
      }
      return Deed{};
    });
    broker_.SetKeys({key_});
    broker_.Start();
  }

  const test::FakeKey key_ = test::EcKey("a.example.test", 1);
};

TEST_F(HostProcess, SeesNothingOnItsOutputs) {
  StartMoodyBroker();
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  Work();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

TEST_F(HostProcess, KeepsItsSignalHandlersAndMask) {
  StartMoodyBroker();
  const auto handlers = [] {
    std::vector<decltype(sigaction::sa_handler)> all;
    for (int signal = 1; signal < NSIG; ++signal) {
      struct sigaction action {};
      if (::sigaction(signal, nullptr, &action) == 0) all.push_back(action.sa_handler);
    }
    return all;
  };
  const auto blocked = [] {
    sigset_t mask;
    ::sigemptyset(&mask);
    ::sigprocmask(SIG_SETMASK, nullptr, &mask);
    std::vector<int> all;
    for (int signal = 1; signal < NSIG; ++signal) all.push_back(::sigismember(&mask, signal));
    return all;
  };
  const auto handlers_before = handlers();
  const auto blocked_before = blocked();
  Work();
  EXPECT_EQ(handlers(), handlers_before);
  EXPECT_EQ(blocked(), blocked_before);
}

TEST_F(HostProcess, GetsNoThreads) {
  StartMoodyBroker();
  InChild([this] {
    const size_t before = ThreadCount();
    Work();
    EXPECT_EQ(ThreadCount(), before);
  });
}

// What is sent first after the broker went finds a connection that is over: SIGPIPE would kill.
TEST_F(HostProcess, GetsNoSigpipe) {
  ASSERT_NE(::signal(SIGPIPE, SIG_DFL), SIG_ERR);
  ASSERT_NO_FATAL_FAILURE(Start({key_}));
  const CK_SESSION_HANDLE session = Open();
  const CK_OBJECT_HANDLE handle = PrivateKey(session, key_);
  broker_.Kill();
  broker_.Start();
  EXPECT_EQ(SignDigest(session, handle).rv, CKR_OK);
}

TEST_F(HostProcess, MayKeepItsArgumentsInReadOnlyMemory) {
  ASSERT_NO_FATAL_FAILURE(Start({key_}));
  static const CK_OBJECT_CLASS kPrivateKey = CKO_PRIVATE_KEY;
  static const CK_ATTRIBUTE kTemplate[] = {
      {CKA_CLASS, const_cast<CK_OBJECT_CLASS*>(&kPrivateKey), sizeof kPrivateKey}};
  static const CK_MECHANISM kMechanism = {CKM_ECDSA, nullptr, 0};
  const CK_SESSION_HANDLE session = Open();
  EXPECT_EQ(api_->C_FindObjectsInit(session, const_cast<CK_ATTRIBUTE*>(kTemplate), 1), CKR_OK);
  const CK_OBJECT_HANDLE handle = PrivateKey(Open(), key_);
  EXPECT_EQ(api_->C_SignInit(session, const_cast<CK_MECHANISM*>(&kMechanism), handle), CKR_OK);
}

}  // namespace
}  // namespace keybroker::module
