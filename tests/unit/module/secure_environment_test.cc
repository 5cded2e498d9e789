#include <elf.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <cstdlib>

#include "support/module_fixture.h"

namespace keybroker::module {
namespace {

// The environment as the kernel laid it out, before anything could move it.
char** const g_first_environment = environ;

// BecomeSecure makes this process look as one that the kernel started with more rights than its
// caller's: AT_SECURE in the auxiliary vector, which follows the environment (System V ABI).
void BecomeSecure() {
  char** end = g_first_environment;
  while (*end != nullptr) ++end;
  for (auto* entry = reinterpret_cast<Elf64_auxv_t*>(end + 1); entry->a_type != AT_NULL; ++entry) {
    if (entry->a_type == AT_SECURE) entry->a_un.a_val = 1;
  }
}

using SecureEnvironment = test::ModuleTest;

TEST_F(SecureEnvironment, DoesNotChooseTheSocket) {
  broker_.Start();
  ::setenv("KEYBROKER_SOCKET", socket_.c_str(), 1);
  const auto listener_reached = [this] {
    EXPECT_EQ(Initialize(), CKR_OK);
    CK_TOKEN_INFO info{};
    return api_->C_GetTokenInfo(0, &info);
  };
  test::InChild([&] { EXPECT_EQ(listener_reached(), CKR_OK); });
  test::InChild([&] {
    BecomeSecure();
    ASSERT_EQ(::getauxval(AT_SECURE), 1u);
    EXPECT_EQ(listener_reached(), CKR_TOKEN_NOT_PRESENT) << "it went to the default path";
  });
  ::unsetenv("KEYBROKER_SOCKET");
  EXPECT_EQ(broker_.connections(), 1u);
}

TEST_F(SecureEnvironment, IsNotEvenRefused) {
  ::setenv("KEYBROKER_SOCKET", "nonsense", 1);
  test::InChild([&] { EXPECT_EQ(Initialize(), CKR_ARGUMENTS_BAD); });
  test::InChild([&] {
    BecomeSecure();
    EXPECT_EQ(Initialize(), CKR_OK);
  });
  ::unsetenv("KEYBROKER_SOCKET");
}

TEST_F(SecureEnvironment, LeavesTheHostsWordAlone) {
  broker_.Start();
  test::InChild([&] {
    BecomeSecure();
    EXPECT_EQ(InitializeAt(socket_), CKR_OK);
    CK_TOKEN_INFO info{};
    EXPECT_EQ(api_->C_GetTokenInfo(0, &info), CKR_OK);
  });
}

}  // namespace
}  // namespace keybroker::module
