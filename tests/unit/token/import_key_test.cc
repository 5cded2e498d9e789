#include "keybroker/token/import_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "keybroker/token/host_wrap.h"
#include "keybroker/token/openssl.h"
#include "support/soft_token.h"

namespace keybroker::token {
namespace {

using cryptoki::KeyType;
using testing::HasSubstr;

struct Made {
  KeyType type;
  Secret pkcs8;
  std::vector<uint8_t> spki;
};

// Make makes a key on the host, as an imported one is.
Made Make(KeyType type, unsigned bits) {
  const std::string curve = "P-" + std::to_string(bits);
  const EvpKey key(type == KeyType::kRsa ? EVP_RSA_gen(bits) : EVP_EC_gen(curve.c_str()));
  PKCS8_PRIV_KEY_INFO* info = EVP_PKEY2PKCS8(key.get());
  uint8_t* der = nullptr;
  const int size = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
  PKCS8_PRIV_KEY_INFO_free(info);
  uint8_t* open = nullptr;
  const int open_size = i2d_PUBKEY(key.get(), &open);
  Made made{
      type, *Secret::CopyFrom(Bytes(der, static_cast<size_t>(size))), {open, open + open_size}};
  OPENSSL_free(der);
  OPENSSL_free(open);
  return made;
}

Secret TestKek() { return test::TestSecret(std::string(kKekSize, 'k')); }

UnwrapSpec SpecOf(const Made& made) { return {"mail.example.test", made.type, made.spki}; }

size_t Objects(const Session& session, CK_OBJECT_CLASS object_class) {
  return session.Find(Attributes().AddUlong(CKA_CLASS, object_class))->size();
}

class ImportKeyOn : public testing::TestWithParam<const char*> {
 protected:
  static std::unique_ptr<test::SoftToken> MakeToken() {
    if (std::string(GetParam()) == "nss") return std::make_unique<test::NssToken>();
    return std::make_unique<test::SoftHsmToken>();
  }

  std::unique_ptr<test::SoftToken> soft_ = MakeToken();
  Token token_ = soft_->LogIn();
  Session session_ = *token_.OpenSession(true);
};

TEST_P(ImportKeyOn, TakesEveryKindOfKeyByUnwrapping) {
  for (const auto& [type, bits] : {std::pair{KeyType::kRsa, 1024U},
                                   {KeyType::kRsa, 2048U},
                                   {KeyType::kRsa, 3072U},
                                   {KeyType::kRsa, 4096U},
                                   {KeyType::kEc, 256U},
                                   {KeyType::kEc, 384U},
                                   {KeyType::kEc, 521U}}) {
    const Made made = Make(type, bits);
    const Secret kek = TestKek();
    const auto imported = ImportKey(session_, *WrapForImport(kek, made.pkcs8), kek, SpecOf(made));
    ASSERT_TRUE(imported) << bits << imported.error().detail;
    EXPECT_FALSE(imported->in_the_clear);
    EXPECT_EQ(imported->key.spki, made.spki);
    EXPECT_EQ(imported->key.bits, bits);
    EXPECT_FALSE(imported->key.extractable);
    EXPECT_TRUE(imported->key.sensitive);
    EXPECT_EQ(Objects(session_, CKO_SECRET_KEY), 0U);
    ASSERT_TRUE(DeleteKey(session_, imported->key));
  }
}

TEST_P(ImportKeyOn, LeavesNothingWhenTheKeyIsAnother) {
  const Secret kek = TestKek();
  for (const auto& [type, bits] : {std::pair{KeyType::kRsa, 2048U}, {KeyType::kEc, 256U}}) {
    const Made made = Make(type, bits);
    const Made other = Make(type, bits);
    EXPECT_FALSE(ImportKey(session_, *WrapForImport(kek, made.pkcs8), kek, SpecOf(other)));
    for (const auto each : {CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, CKO_SECRET_KEY}) {
      EXPECT_EQ(Objects(session_, each), 0U);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Tokens, ImportKeyOn, testing::Values("softhsm", "nss"),
                         [](const auto& token) { return std::string(token.param); });

// A SoftHSM some of whose calls fail.
class FaultyToken : public test::SoftHsmToken {
 public:
  explicit FaultyToken(const std::string& plan) {
    config_.module = KB_FAULTY_MODULE;
    config_.environment["KB_FAULTY_PLAN"] = (dir_ / "plan").string();
    test::WriteAll(dir_ / "plan", plan);
  }
};

// Keys come in and none goes out: every C_WrapKey fails (CKR_FUNCTION_NOT_SUPPORTED).
class ImportOnlyToken : public FaultyToken {
 public:
  ImportOnlyToken() : FaultyToken("C_WrapKey 0 1000 84\n") {}
};

// C_UnwrapKey fails too, so that no mechanism is found.
class WraplessToken : public FaultyToken {
 public:
  WraplessToken() : FaultyToken("C_WrapKey 0 1000 84\nC_UnwrapKey 0 1000 84\n") {}
};

// opencryptoki's CKR_ATTRIBUTE_READ_ONLY, for a template with CKA_EXTRACTABLE and for one without;
// other answers are final.
TEST(Kek, UnwrapsForATokenThatWillNotBeToldWhatIsExtractable) {
  for (const auto& [plan, works] : {std::pair{"C_UnwrapKey 0 2 16\n", true},
                                    {"C_UnwrapKey 0 3 16\n", false},
                                    {"C_UnwrapKey 0 1 19\n", false}}) {
    const FaultyToken soft(plan);
    const Token token = soft.LogIn();
    const Session session = *token.OpenSession(true);
    const Secret kek = TestKek();
    const auto forms = *WrapForImport(kek, Make(KeyType::kEc, 256).pkcs8);
    const Kek on_token = *Kek::Create(session, kek);
    Attributes object;
    object.AddUlong(CKA_CLASS, CKO_PRIVATE_KEY)
        .AddUlong(CKA_KEY_TYPE, CKK_EC)
        .AddBool(CKA_SENSITIVE, true)
        .AddBool(CKA_EXTRACTABLE, true);
    const WrapMechanism how{WrapAlgorithm::kAesKeyWrapPad, CKM_AES_KEY_WRAP_PAD};
    EXPECT_EQ(on_token.Unwrap(how, {}, forms.front().bytes, object).has_value(), works) << plan;
  }
}

TEST(ImportOnly, UnwrapsAndRestoresButTakesNothingThatIsExportable) {
  const ImportOnlyToken soft;
  const Token token = soft.LogIn();
  const Session session = *token.OpenSession(true);
  EXPECT_THAT(ProbeWrap(session), testing::IsEmpty());
  std::vector<std::string> evidence;
  const auto found = ProbeUnwrap(session, &evidence);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].algorithm, WrapAlgorithm::kAesKeyWrapPad);
  EXPECT_THAT(evidence, testing::Contains(HasSubstr("a known key, unwrapped")));
  const Secret kek = TestKek();
  const Made made = Make(KeyType::kEc, 256);
  const auto forms = *WrapForImport(kek, made.pkcs8);
  UnwrapSpec spec = SpecOf(made);
  spec.exportable = true;
  EXPECT_FALSE(ImportKey(session, forms, kek, spec));
  EXPECT_FALSE(RestoreKey(session, forms.front(), kek, spec));
  EXPECT_EQ(Objects(session, CKO_PRIVATE_KEY), 0U);
  spec.exportable = false;
  EXPECT_TRUE(TryUnwrap(session, forms.front(), kek, spec));
  const auto imported = ImportKey(session, forms, kek, spec);
  ASSERT_TRUE(imported) << imported.error().detail;
  EXPECT_FALSE(imported->in_the_clear);
  ASSERT_TRUE(DeleteKey(session, imported->key));
  const auto restored = RestoreKey(session, forms.front(), kek, spec);
  ASSERT_TRUE(restored) << restored.error().detail;
  EXPECT_FALSE(restored->extractable);
  EXPECT_EQ(Objects(session, CKO_SECRET_KEY), 0U);
}

TEST(ImportKeyWithoutWrap, CreatesTheObjectAndSaysThatItWasInTheClear) {
  const WraplessToken soft;
  const Token token = soft.LogIn();
  const Session session = *token.OpenSession(true);
  const Secret kek = TestKek();
  for (const auto& [type, bits] :
       {std::pair{KeyType::kRsa, 2048U}, {KeyType::kEc, 256U}, {KeyType::kEc, 521U}}) {
    const Made made = Make(type, bits);
    const auto imported = ImportKey(session, *WrapForImport(kek, made.pkcs8), kek, SpecOf(made));
    ASSERT_TRUE(imported) << imported.error().detail;
    EXPECT_TRUE(imported->in_the_clear);
    EXPECT_EQ(imported->key.spki, made.spki);
    EXPECT_FALSE(imported->key.extractable);
    EXPECT_TRUE(imported->key.sensitive);
  }
  EXPECT_EQ(Objects(session, CKO_PRIVATE_KEY), 3U);
  EXPECT_EQ(Objects(session, CKO_SECRET_KEY), 0U);
}

TEST(ImportKeyWithoutWrap, RefusesAnExportableKey) {
  const WraplessToken soft;
  const Token token = soft.LogIn();
  const Session session = *token.OpenSession(true);
  const Made made = Make(KeyType::kEc, 256);
  UnwrapSpec spec = SpecOf(made);
  spec.exportable = true;
  const Secret kek = TestKek();
  const auto imported = ImportKey(session, *WrapForImport(kek, made.pkcs8), kek, spec);
  ASSERT_FALSE(imported);
  EXPECT_THAT(imported.error().detail, HasSubstr("no backup could be made"));
  EXPECT_EQ(Objects(session, CKO_PRIVATE_KEY), 0U);
}

TEST(HostWrap, IsUndoneByHostUnwrapAndByNothingElse) {
  const Secret kek = TestKek();
  const Secret plain = test::TestSecret("some forty bytes that are not a key at all");
  const auto forms = *WrapForImport(kek, plain);
  for (const WrappedKey& form : forms) {
    EXPECT_TRUE(HostUnwrap(form.algorithm, kek, form.iv, form.bytes)->Equals(plain));
  }
  const WrappedKey& wrapped = forms.front();
  const Secret other = test::TestSecret(std::string(kKekSize, 'x'));
  EXPECT_FALSE(HostUnwrap(wrapped.algorithm, other, wrapped.iv, wrapped.bytes));
}

}  // namespace
}  // namespace keybroker::token
