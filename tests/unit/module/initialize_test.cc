#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "support/module_fixture.h"

namespace keybroker::module {
namespace {

using Initialization = test::ModuleTest;

int g_mutex_calls = 0;

CK_C_INITIALIZE_ARGS WithMutexes(CK_FLAGS flags) {
  CK_C_INITIALIZE_ARGS args{};
  args.CreateMutex = [](void**) -> CK_RV { return ++g_mutex_calls, CKR_OK; };
  args.DestroyMutex = args.LockMutex =
      args.UnlockMutex = [](void*) -> CK_RV { return ++g_mutex_calls, CKR_OK; };
  args.flags = flags;
  return args;
}

TEST_F(Initialization, TakesNullAndEveryFlagThatHostsGive) {
  EXPECT_EQ(api_->C_Initialize(nullptr), CKR_OK);
  EXPECT_EQ(api_->C_Finalize(nullptr), CKR_OK);
  for (const CK_FLAGS flags :
       {CK_FLAGS{0}, CK_FLAGS{CKF_LIBRARY_CANT_CREATE_OS_THREADS}, CK_FLAGS{CKF_OS_LOCKING_OK},
        CK_FLAGS{CKF_OS_LOCKING_OK | CKF_LIBRARY_CANT_CREATE_OS_THREADS}}) {
    EXPECT_EQ(Initialize({}, flags), CKR_OK) << flags;
    EXPECT_EQ(api_->C_Finalize(nullptr), CKR_OK) << flags;
  }
}

TEST_F(Initialization, HappensOnceUntilFinalized) {
  EXPECT_EQ(api_->C_Initialize(nullptr), CKR_OK);
  EXPECT_EQ(api_->C_Initialize(nullptr), CKR_CRYPTOKI_ALREADY_INITIALIZED);
  EXPECT_EQ(api_->C_Finalize(nullptr), CKR_OK);
  EXPECT_EQ(api_->C_Finalize(nullptr), CKR_CRYPTOKI_NOT_INITIALIZED);
  EXPECT_EQ(api_->C_Initialize(nullptr), CKR_OK);
}

TEST_F(Initialization, FinalizeTakesNoArgument) {
  ASSERT_EQ(api_->C_Initialize(nullptr), CKR_OK);
  int something = 0;
  EXPECT_EQ(api_->C_Finalize(&something), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(api_->C_Initialize(nullptr), CKR_CRYPTOKI_ALREADY_INITIALIZED);
}

TEST_F(Initialization, UsesTheSystemsLocksNextToTheHosts) {
  broker_.SetKeys({test::EcKey("a.example.test", 1)});
  broker_.Start();
  std::string reserved = "socket=" + socket_.string();
  CK_C_INITIALIZE_ARGS args = WithMutexes(CKF_OS_LOCKING_OK);
  args.pReserved = reserved.data();
  ASSERT_EQ(api_->C_Initialize(&args), CKR_OK);
  EXPECT_EQ(Find(Open()).size(), 2u);
  EXPECT_EQ(g_mutex_calls, 0);
}

TEST_F(Initialization, CannotLockWithTheHostsFunctionsAlone) {
  CK_C_INITIALIZE_ARGS args = WithMutexes(0);
  EXPECT_EQ(api_->C_Initialize(&args), CKR_CANT_LOCK);
  EXPECT_EQ(api_->C_Initialize(nullptr), CKR_OK) << "nothing was initialised";
}

TEST_F(Initialization, RefusesEveryIncompleteSetOfMutexFunctions) {
  const CK_C_INITIALIZE_ARGS all = WithMutexes(CKF_OS_LOCKING_OK);
  for (int set = 1; set < 15; ++set) {
    CK_C_INITIALIZE_ARGS args{};
    args.flags = CKF_OS_LOCKING_OK;
    if ((set & 1) != 0) args.CreateMutex = all.CreateMutex;
    if ((set & 2) != 0) args.DestroyMutex = all.DestroyMutex;
    if ((set & 4) != 0) args.LockMutex = all.LockMutex;
    if ((set & 8) != 0) args.UnlockMutex = all.UnlockMutex;
    EXPECT_EQ(api_->C_Initialize(&args), CKR_ARGUMENTS_BAD) << set;
  }
}

TEST_F(Initialization, RefusesReservedTextThatNamesNoSocket) {
  for (const char* text :
       {"", " ", "socket", "socket=", "socket=relative/path", "SOCKET=/run/socket",
        " socket=/run/socket", "configdir='sql:/etc/pki' certPrefix=''", "/run/socket"}) {
    CK_C_INITIALIZE_ARGS args{};
    std::string copy = text;
    args.pReserved = copy.data();
    EXPECT_EQ(api_->C_Initialize(&args), CKR_ARGUMENTS_BAD) << text;
  }
  EXPECT_EQ(api_->C_Initialize(nullptr), CKR_OK) << "nothing was initialised";
}

TEST_F(Initialization, TakesASocketAsLongAsTheKernelDoes) {
  EXPECT_EQ(Initialize("socket=/" + std::string(107, 'a')), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(Initialize("socket=/" + std::string(1 << 20, 'a')), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(Initialize("socket=/" + std::string(106, 'a')), CKR_OK);
}

TEST_F(Initialization, SurvivesEveryReservedPointer) {
  for (const uintptr_t address :
       {uintptr_t{1}, uintptr_t{8}, uintptr_t{4095}, uintptr_t{0xdeadbeef}, UINTPTR_MAX,
        UINTPTR_MAX - 4096, uintptr_t{1} << 63, uintptr_t{0x00007fffffffffff}}) {
    CK_C_INITIALIZE_ARGS args{};
    args.pReserved = reinterpret_cast<void*>(address);
    EXPECT_EQ(api_->C_Initialize(&args), CKR_ARGUMENTS_BAD) << std::hex << address;
  }
}

// The end of readable memory, moved over the text: it is read as far as its NUL and no further.
TEST_F(Initialization, ReadsReservedTextUpToTheEndOfItsPage) {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  void* memory =
      ::mmap(nullptr, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  char* end = static_cast<char*>(memory) + 2 * page;
  ASSERT_EQ(::mprotect(end, page, PROT_NONE), 0);
  const std::string text = "socket=/run/keybroker/https/socket";
  CK_C_INITIALIZE_ARGS args{};
  for (const size_t size : {text.size() + 1, text.size() + 2}) {
    char* start = end - size;
    std::memcpy(start, text.c_str(), text.size() + 1);
    args.pReserved = start;
    EXPECT_EQ(api_->C_Initialize(&args), CKR_OK);
    EXPECT_EQ(api_->C_Finalize(nullptr), CKR_OK);
  }
  char* unended = end - text.size();
  std::memcpy(unended, text.data(), text.size());
  args.pReserved = unended;
  EXPECT_EQ(api_->C_Initialize(&args), CKR_ARGUMENTS_BAD);
  char* across = end - page - 10;
  std::memcpy(across, text.c_str(), text.size() + 1);
  args.pReserved = across;
  EXPECT_EQ(api_->C_Initialize(&args), CKR_OK) << "text that lies on two pages";
  ::munmap(memory, 3 * page);
}

TEST_F(Initialization, KeepsNoDescriptorOfTheCheck) {
  const int before = ::dup(0);
  ASSERT_EQ(::close(before), 0);
  EXPECT_EQ(Initialize("socket=/run/keybroker/https/socket"), CKR_OK);
  EXPECT_EQ(Initialize("nonsense"), CKR_ARGUMENTS_BAD);
  const int after = ::dup(0);
  ASSERT_EQ(::close(after), 0);
  EXPECT_EQ(before, after);
}

}  // namespace
}  // namespace keybroker::module
