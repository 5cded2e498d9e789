#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>

#include "keybroker/cryptoki/cryptoki.h"
#include "support/temp_dir.h"

namespace keybroker::module {
namespace {

// What the module must answer by itself, with no broker at its socket. With a broker behind it the
// same file is driven by tests/contract, conformance and fault.
class WithoutBroker : public testing::Test {
 protected:
  void SetUp() override {
    void* library = ::dlopen(KB_MODULE_PATH, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library, nullptr) << ::dlerror();
    auto* get_list = reinterpret_cast<CK_C_GetFunctionList>(::dlsym(library, "C_GetFunctionList"));
    ASSERT_NE(get_list, nullptr);
    ASSERT_EQ(get_list(&api_), CKR_OK);
  }
  void TearDown() override { api_->C_Finalize(nullptr); }

  CK_RV Initialize(CK_FLAGS flags, void* reserved = nullptr) {
    CK_C_INITIALIZE_ARGS args{};
    args.flags = flags;
    args.pReserved = reserved;
    return api_->C_Initialize(&args);
  }
  CK_RV InitializeAt(std::string reserved) {
    return Initialize(CKF_OS_LOCKING_OK, reserved.data());
  }
  // Start initialises with a socket at which nobody listens, and gives the one slot.
  CK_SLOT_ID Start() {
    EXPECT_EQ(InitializeAt("socket=" + (dir_ / "socket").string()), CKR_OK);
    CK_SLOT_ID slots[4];
    CK_ULONG count = 4;
    EXPECT_EQ(api_->C_GetSlotList(CK_FALSE, slots, &count), CKR_OK);
    EXPECT_EQ(count, 1u);
    return slots[0];
  }

  test::TempDir dir_;
  CK_FUNCTION_LIST* api_ = nullptr;
};

TEST_F(WithoutBroker, HasAnEntryForEveryFunctionOfTheStandard) {
  EXPECT_EQ(api_->version.major, 2);
  EXPECT_EQ(api_->version.minor, 40);
  const auto* entries = reinterpret_cast<void* const*>(&api_->C_Initialize);
  const size_t count =
      (sizeof(CK_FUNCTION_LIST) - offsetof(CK_FUNCTION_LIST, C_Initialize)) / sizeof(void*);
  EXPECT_EQ(count, 68u);
  for (size_t i = 0; i < count; ++i) EXPECT_NE(entries[i], nullptr) << "entry " << i;
}

TEST_F(WithoutBroker, RefusesEverythingBeforeItIsInitialised) {
  CK_INFO info;
  CK_ULONG count = 0;
  EXPECT_EQ(api_->C_GetInfo(&info), CKR_CRYPTOKI_NOT_INITIALIZED);
  EXPECT_EQ(api_->C_GetSlotList(CK_FALSE, nullptr, &count), CKR_CRYPTOKI_NOT_INITIALIZED);
  EXPECT_EQ(api_->C_CloseSession(1), CKR_CRYPTOKI_NOT_INITIALIZED);
  EXPECT_EQ(api_->C_Finalize(nullptr), CKR_CRYPTOKI_NOT_INITIALIZED);
}

TEST_F(WithoutBroker, IsInitialisedInEveryWayThatListenersUse) {
  EXPECT_EQ(api_->C_Initialize(nullptr), CKR_OK);
  EXPECT_EQ(api_->C_Initialize(nullptr), CKR_CRYPTOKI_ALREADY_INITIALIZED);
  for (const CK_FLAGS flags :
       {CK_FLAGS{0}, CK_FLAGS{CKF_LIBRARY_CANT_CREATE_OS_THREADS}, CK_FLAGS{CKF_OS_LOCKING_OK},
        CK_FLAGS{CKF_OS_LOCKING_OK | CKF_LIBRARY_CANT_CREATE_OS_THREADS}}) {
    EXPECT_EQ(api_->C_Finalize(nullptr), CKR_OK);
    EXPECT_EQ(Initialize(flags), CKR_OK) << flags;
  }
}

TEST_F(WithoutBroker, RefusesHalfASetOfMutexFunctions) {
  CK_C_INITIALIZE_ARGS args{};
  args.CreateMutex = [](void**) -> CK_RV { return CKR_OK; };
  EXPECT_EQ(api_->C_Initialize(&args), CKR_ARGUMENTS_BAD);
}

TEST_F(WithoutBroker, RefusesAReservedPointerThatNamesNoSocket) {
  EXPECT_EQ(Initialize(CKF_OS_LOCKING_OK, reinterpret_cast<void*>(8)), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(InitializeAt("configdir='sql:/tmp'"), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(InitializeAt("socket=relative/path"), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(InitializeAt("socket=/" + std::string(200, 'a')), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(InitializeAt("socket=/" + std::string(1 << 20, 'a')), CKR_ARGUMENTS_BAD);
}

TEST_F(WithoutBroker, ShowsItsSlotWithoutAToken) {
  const CK_SLOT_ID slot = Start();
  CK_ULONG count = 7;
  EXPECT_EQ(api_->C_GetSlotList(CK_TRUE, nullptr, &count), CKR_OK);
  EXPECT_EQ(count, 0u);
  CK_SLOT_INFO slot_info;
  ASSERT_EQ(api_->C_GetSlotInfo(slot, &slot_info), CKR_OK);
  EXPECT_EQ(slot_info.flags & CKF_TOKEN_PRESENT, 0u);
  CK_TOKEN_INFO token_info;
  EXPECT_EQ(api_->C_GetTokenInfo(slot, &token_info), CKR_TOKEN_NOT_PRESENT);
}

TEST_F(WithoutBroker, KnowsNoOtherSlot) {
  const CK_SLOT_ID bad = Start() + 1;
  CK_SLOT_INFO slot_info;
  CK_TOKEN_INFO token_info;
  CK_MECHANISM_INFO mechanism_info;
  CK_SESSION_HANDLE session = 0;
  CK_ULONG count = 0;
  EXPECT_EQ(api_->C_GetSlotInfo(bad, &slot_info), CKR_SLOT_ID_INVALID);
  EXPECT_EQ(api_->C_GetTokenInfo(bad, &token_info), CKR_SLOT_ID_INVALID);
  EXPECT_EQ(api_->C_GetMechanismList(bad, nullptr, &count), CKR_SLOT_ID_INVALID);
  EXPECT_EQ(api_->C_GetMechanismInfo(bad, CKM_ECDSA, &mechanism_info), CKR_SLOT_ID_INVALID);
  EXPECT_EQ(api_->C_OpenSession(bad, CKF_SERIAL_SESSION, nullptr, nullptr, &session),
            CKR_SLOT_ID_INVALID);
  EXPECT_EQ(api_->C_CloseAllSessions(bad), CKR_SLOT_ID_INVALID);
}

TEST_F(WithoutBroker, OpensSessionsAllTheSame) {
  const CK_SLOT_ID slot = Start();
  CK_SESSION_HANDLE session = 0;
  EXPECT_EQ(api_->C_OpenSession(slot, 0, nullptr, nullptr, &session),
            CKR_SESSION_PARALLEL_NOT_SUPPORTED);
  ASSERT_EQ(
      api_->C_OpenSession(slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr, nullptr, &session),
      CKR_OK);
  CK_SESSION_INFO info;
  ASSERT_EQ(api_->C_GetSessionInfo(session, &info), CKR_OK);
  EXPECT_EQ(info.flags, CK_FLAGS{CKF_SERIAL_SESSION | CKF_RW_SESSION});
  EXPECT_EQ(api_->C_CloseSession(session), CKR_OK);
  EXPECT_EQ(api_->C_GetSessionInfo(session, &info), CKR_SESSION_HANDLE_INVALID);
}

TEST_F(WithoutBroker, CanBeInitialisedAgainInAForkedChild) {
  Start();
  const pid_t child = ::fork();
  if (child == 0) {
    const bool good = api_->C_Initialize(nullptr) == CKR_OK &&
                      api_->C_Initialize(nullptr) == CKR_CRYPTOKI_ALREADY_INITIALIZED;
    ::_exit(good ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace keybroker::module
