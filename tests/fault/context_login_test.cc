// A key with CKA_ALWAYS_AUTHENTICATE (PKCS#11 v2.40 section 4.9) on a real token: SoftHSM 2.6.1
// refuses its signatures without a login of their own. Listeners need not know.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/public_key.h"
#include "support/stack.h"

namespace keybroker::test {
namespace {

constexpr char kName[] = "always.example.test";

// MakeKey has a foreign program make the key: keybroker itself makes none that want a login each.
void MakeKey(const Stack& stack) {
  Arguments command = {
      "pkcs11-tool", "--module", Stack::SoftHsmPath(), "--token-label", "stack",        "--login",
      "--pin",       kTokenPin,  "--keypairgen",       "--usage-sign",  "--label",      kName,
      "--id",        "a1a1",     "--key-type",         "EC:prime256v1", "--always-auth"};
  if (getuid() == 0) {
    // Its files belong to who must read them.
    command.insert(command.begin(), {"setpriv", "--reuid=keybroker-token",
                                     "--regid=keybroker-token", "--clear-groups"});
  }
  const CommandResult made = RunCommand(command, stack.token_environment());
  ASSERT_EQ(made.status, 0) << made.out << made.err;
}

TEST(ContextLogin, IsMadeForTheListenerWhichDoesNotSeeIt) {
  auto stack = Stack::Make();
  ASSERT_TRUE(stack) << stack.error().detail;
  MakeKey(**stack);
  // On the token itself the attribute is there, and does what it says.
  Target direct{Stack::SoftHsmPath(), "stack", kName, false, (*stack)->pin_file(), ""};
  for (const auto& [name, value] : (*stack)->token_environment()) {
    setenv(name.c_str(), value.c_str(), 1);
  }
  auto owner = Pkcs11Client::Open(direct);
  ASSERT_TRUE(owner) << owner.error().detail;
  EXPECT_EQ(owner->Read(CKA_ALWAYS_AUTHENTICATE).value_or(std::vector<uint8_t>{}),
            std::vector<uint8_t>{CK_TRUE});
  EXPECT_EQ(owner->Sign().error().rv, CKR_USER_NOT_LOGGED_IN);

  ASSERT_EQ((*stack)->Cli({"listener", "bind", "https", kName}).status, 0);
  const CommandResult reload = (*stack)->Cli({"reload"});
  ASSERT_EQ(reload.status, 0) << reload.err;
  Target target = (*stack)->ModuleTarget("https", "ec");
  target.label = kName;
  auto listener = Pkcs11Client::Open(target);
  ASSERT_TRUE(listener) << listener.error().detail;
  EXPECT_EQ(listener->Read(CKA_ALWAYS_AUTHENTICATE).value_or(std::vector<uint8_t>{}),
            std::vector<uint8_t>{CK_FALSE});

  // The CLI's own signature, a request, has the public key to check the listener's with.
  const auto request = (*stack)->directory() / "always.csr";
  const auto public_key = (*stack)->directory() / "always.pub";
  const CommandResult asked = (*stack)->Cli({"request", "create", kName, "-o", request});
  ASSERT_EQ(asked.status, 0) << asked.err;
  ASSERT_EQ(RunCommand({"openssl", "req", "-in", request, "-noout", "-verify", "-pubkey", "-out",
                        public_key})
                .status,
            0);
  auto key = PublicKey::FromPem(public_key);
  ASSERT_TRUE(key) << key.error().detail;
  for (uint8_t i = 1; i <= 3; ++i) {
    Digest digest{};
    digest[0] = i;
    Status status = listener->Sign(digest);
    ASSERT_TRUE(status) << status.error().detail;
    EXPECT_TRUE(key->Verifies(digest, listener->signature()));
  }
  listener->Finalize();
  owner->Finalize();
}

}  // namespace
}  // namespace keybroker::test
