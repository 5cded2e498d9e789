#include "keybroker/base/secret.h"

#include <gtest/gtest.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "support/sanitized.h"

namespace keybroker {
namespace {

std::string TextOf(const Secret& secret) {
  return {reinterpret_cast<const char*>(secret.Expose().data()), secret.size()};
}

// VmFlagsAt gives the kernel's flags of the mapping that holds address (proc(5), smaps).
std::string VmFlagsAt(const void* address) {
  std::ifstream smaps("/proc/self/smaps");
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  bool inside = false;
  for (std::string line; std::getline(smaps, line);) {
    uintptr_t begin = 0;
    uintptr_t end = 0;
    std::istringstream range(line);
    char dash = 0;
    if (range >> std::hex >> begin >> dash >> end && dash == '-') {
      inside = begin <= wanted && wanted < end;
    }
    if (inside && line.starts_with("VmFlags:")) return line.substr(8) + " ";
  }
  return {};
}

TEST(Secret, HoldsACopyOfWhatItIsMadeFrom) {
  const auto secret = Secret::CopyFrom("12345678");
  ASSERT_TRUE(secret.has_value());
  EXPECT_EQ(TextOf(*secret), "12345678");
  EXPECT_FALSE(secret->empty());
  const auto clone = secret->Clone();
  ASSERT_TRUE(clone.has_value());
  EXPECT_NE(clone->Expose().data(), secret->Expose().data());
  EXPECT_TRUE(clone->Equals(*secret));
}

TEST(Secret, LivesInPagesThatAreNotDumpedNotInheritedAndLocked) {
  if (KB_SANITIZED) GTEST_SKIP() << "the sanitizer leaves mlock out";
  const auto secret = Secret::CopyFrom("12345678");
  ASSERT_TRUE(secret.has_value());
  const std::string flags = VmFlagsAt(secret->Expose().data());
  EXPECT_NE(flags.find(" dd "), std::string::npos) << "not dumped:" << flags;
  EXPECT_NE(flags.find(" dc "), std::string::npos) << "not copied on fork:" << flags;
  EXPECT_EQ(flags.find(" lo ") != std::string::npos, secret->IsLocked()) << flags;
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_MEMLOCK, &limit), 0);
  if (limit.rlim_cur >= 65536) {
    EXPECT_TRUE(secret->IsLocked()) << flags;
  }
}

TEST(Secret, SaysSoWhenItCannotBeLocked) {
  if (KB_SANITIZED) GTEST_SKIP() << "the sanitizer leaves mlock out";
  const pid_t child = ::fork();
  if (child == 0) {
    // Without privileges a limit of nothing holds; root's CAP_IPC_LOCK goes with its uid.
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_MEMLOCK, &none);
    if (::getuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) ::_exit(2);
    const auto secret = Secret::CopyFrom("1234");
    ::_exit(secret && !secret->IsLocked() && TextOf(*secret) == "1234" ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(Secret, IsWipedBeforeItsMemoryIsFreed) {
  auto secret = Secret::CopyFrom("hunter2");
  ASSERT_TRUE(secret.has_value());
  // A file's pages are put in the place of the Secret's: they can be read after munmap.
  const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const int fd = ::memfd_create("pages", 0);
  ASSERT_EQ(::ftruncate(fd, static_cast<off_t>(page)), 0);
  void* at = secret->Buffer().data();
  ASSERT_EQ(::mmap(at, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0), at);
  memcpy(at, "hunter2", 7);
  *secret = Secret();
  char left[7];
  ASSERT_EQ(::pread(fd, left, sizeof left, 0), 7);
  EXPECT_EQ(std::string_view(left, 7), std::string_view("\0\0\0\0\0\0\0", 7));
  ::close(fd);
}

TEST(Secret, MayBeDestroyedByAForkedChild) {
  auto secret = Secret::CopyFrom("1234");
  ASSERT_TRUE(secret.has_value());
  const pid_t child = ::fork();
  if (child == 0) {
    *secret = Secret();
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0) << "the pages are not in the child: wiping them would crash it";
  EXPECT_EQ(TextOf(*secret), "1234");
}

TEST(Secret, TakesBytesUpToItsCapacity) {
  auto secret = Secret::Allocate(3);
  ASSERT_TRUE(secret.has_value());
  EXPECT_TRUE(secret->empty());
  for (const char c : {'a', 'b', 'c'}) EXPECT_TRUE(secret->Append(static_cast<uint8_t>(c)));
  EXPECT_FALSE(secret->Append('d'));
  EXPECT_EQ(TextOf(*secret), "abc");
  secret->Truncate(5);
  EXPECT_EQ(secret->size(), 3U);
  secret->Truncate(1);
  EXPECT_EQ(TextOf(*secret), "a");
  EXPECT_EQ(secret->Buffer()[1], 0) << "what was cut off is wiped";
  secret->SetSize(99);
  EXPECT_EQ(secret->size(), secret->capacity());
}

TEST(Secret, MovesWithoutLeavingACopy) {
  auto first = Secret::CopyFrom("abc");
  ASSERT_TRUE(first.has_value());
  const uint8_t* at = first->Expose().data();
  Secret second(std::move(*first));
  EXPECT_EQ(second.Expose().data(), at);
  EXPECT_TRUE(first->empty());  // NOLINT: a moved-from Secret is empty by contract
  Secret& alias = second;
  second = std::move(alias);
  EXPECT_EQ(TextOf(second), "abc");
}

TEST(Secret, ComparesContentAndLength) {
  const auto make = [](std::string_view text) { return *Secret::CopyFrom(text); };
  EXPECT_TRUE(make("abc").Equals(make("abc")));
  EXPECT_FALSE(make("abc").Equals(make("abd")));
  EXPECT_FALSE(make("abc").Equals(make("ab")));
  EXPECT_TRUE(make("").Equals(Secret()));
}

}  // namespace
}  // namespace keybroker
