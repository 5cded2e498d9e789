// A restore that is killed while the token writes: what it leaves is found, removed, and in
// nobody's way. SIGXFSZ stands for kill -9 at each length that the token's files can have at that
// moment.
#include "keybroker/token/leftovers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keybroker/token/key_wrap.h"
#include "support/soft_token.h"

namespace keybroker::token {
namespace {

using cryptoki::KeyType;
using testing::HasSubstr;

constexpr rlim_t kStep = 24;  // smaller than any attribute in a token's file
constexpr uint8_t kOtherId[] = {0x0b, 0xad};
constexpr rlim_t kEnough = 4096;  // more than any object of the keys below

Secret Kek32() { return test::TestSecret(std::string(kKekSize, 'k')); }

class Leftovers : public testing::TestWithParam<KeyType> {
 protected:
  void SetUp() override {
    const Token token = soft_.LogIn();
    const Session session = *token.OpenSession(true);
    const uint32_t bits = GetParam() == KeyType::kRsa ? 2048 : 256;
    const auto key = GenerateKey(session, Profile{}, {GetParam(), bits, "mail.example.test", true});
    ASSERT_TRUE(key) << key.error().detail;
    const auto wrapped = WrapPrivateKey(session, *key, Kek32(), std::nullopt);
    ASSERT_TRUE(wrapped) << wrapped.error().detail;
    wrapped_ = *wrapped;
    spec_ = {key->label, key->type, key->spki};
    ASSERT_TRUE(DeleteKey(session, *key));
  }

  // RestoreUpTo restores in a process that is killed when a file gets longer; true: it was not.
  bool RestoreUpTo(rlim_t length) const {
    const pid_t pid = ::fork();
    if (pid == 0) {
      const Secret kek = Kek32();  // a fork does not inherit secrets
      const Token token = soft_.LogIn();
      const Session session = *token.OpenSession(true);
      const struct rlimit limit { length, length };
      ::signal(SIGXFSZ, SIG_DFL);
      ::setrlimit(RLIMIT_FSIZE, &limit);
      ::_exit(RestoreKey(session, wrapped_, kek, spec_) ? 0 : 1);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGXFSZ);
    return WIFEXITED(status);
  }

  // Empty destroys all that can be seen but the public key, when it is to stay.
  static void Empty(const Session& session, bool keep_public) {
    for (const auto each : {CKO_PRIVATE_KEY, CKO_PUBLIC_KEY}) {
      if (keep_public && each == CKO_PUBLIC_KEY) continue;
      const auto objects = session.Find(Attributes().AddUlong(CKA_CLASS, each));
      for (const CK_OBJECT_HANDLE object : *objects) EXPECT_TRUE(session.Destroy(object));
    }
  }

  // Kill restores at every length, and after each the token must be cleared and take the key.
  // with_public: an earlier one has made the public key already, so that it is the private key's
  // file at which it ends. Gives how many leftovers there were.
  size_t KillAtEveryLength(bool with_public) {
    size_t left = 0;
    bool whole = false;
    for (rlim_t length = 0; !whole && length < kEnough; length += kStep) {
      whole = RestoreUpTo(length);
      const Token token = soft_.LogIn();
      const Session session = *token.OpenSession(true);
      // A restore of another key takes none of them.
      const auto others = RemoveLeftoversOf(session, Bytes(kOtherId));
      EXPECT_TRUE(others && others->empty());
      const auto removed = RemoveLeftovers(session);
      EXPECT_TRUE(removed) << removed.error().detail;
      left += removed->size();
      EXPECT_TRUE(FindLeftovers(session)->empty());
      const auto keys = ListKeys(session);
      EXPECT_TRUE(keys->skipped.empty()) << length;
      for (const KeyPair& key : keys->keys) EXPECT_EQ(key.spki, spec_.spki);
      if (keys->keys.empty()) {
        const auto back = RestoreKey(session, wrapped_, Kek32(), spec_);
        EXPECT_TRUE(back) << length << ": " << back.error().detail;
      }
      EXPECT_EQ(ListKeys(session)->keys.size(), 1U);
      Empty(session, with_public);
    }
    EXPECT_TRUE(whole);
    return left;
  }

  test::SoftHsmToken soft_;
  WrappedKey wrapped_;
  UnwrapSpec spec_;
};

class KilledRestore : public Leftovers {};

TEST_P(KilledRestore, LeavesAtAnyLengthWhatIsRemovedAndInNobodysWay) {
  EXPECT_GT(KillAtEveryLength(false), 0U);
  {
    const Token token = soft_.LogIn();
    const Session session = *token.OpenSession(true);
    ASSERT_TRUE(RestoreKey(session, wrapped_, Kek32(), spec_));
    Empty(session, true);
  }
  EXPECT_GT(KillAtEveryLength(true), 0U);
}

TEST_P(Leftovers, AreNoKeysThatSignAndNoSecretsOfOthers) {
  const Token token = soft_.LogIn();
  const Session session = *token.OpenSession(true);
  const auto key = RestoreKey(session, wrapped_, Kek32(), spec_);
  ASSERT_TRUE(key);
  // A key of another program, without name and id, is none of ours to remove.
  ASSERT_TRUE(session.Set(key->private_key,
                          Attributes().Add(CKA_ID, Bytes()).Add(CKA_LABEL, std::string_view())));
  Attributes secret;
  secret.AddUlong(CKA_CLASS, CKO_SECRET_KEY)
      .AddUlong(CKA_KEY_TYPE, CKK_AES)
      .AddBool(CKA_TOKEN, true)
      .Add(CKA_LABEL, std::string_view("another's"));
  ASSERT_TRUE(session.CreateSecret(secret, Kek32()));
  EXPECT_TRUE(FindLeftovers(session)->empty());
}

TEST_P(Leftovers, AreKeksThatATokenKept) {
  const Token token = soft_.LogIn();
  const Session session = *token.OpenSession(true);
  const auto kek = Kek::Create(session, Kek32());
  ASSERT_TRUE(kek);
  // Here it is an object of this very session; a token that keeps it shows it alike.
  const auto found = FindLeftovers(session);
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 1U);
  EXPECT_THAT((*found)[0].text, HasSubstr("key-encryption key: \"keybroker-kek\""));
}

std::string NameOf(const testing::TestParamInfo<KeyType>& type) {
  return type.param == KeyType::kRsa ? "Rsa" : "Ec";
}

// An RSA key has three times the lengths and the same code; sanitised that is minutes for nothing.
#ifdef KB_SANITIZED
const auto kKilled = testing::Values(KeyType::kEc);
#else
const auto kKilled = testing::Values(KeyType::kRsa, KeyType::kEc);
#endif

INSTANTIATE_TEST_SUITE_P(KeyTypes, Leftovers, testing::Values(KeyType::kRsa, KeyType::kEc), NameOf);
INSTANTIATE_TEST_SUITE_P(KeyTypes, KilledRestore, kKilled, NameOf);

}  // namespace
}  // namespace keybroker::token
