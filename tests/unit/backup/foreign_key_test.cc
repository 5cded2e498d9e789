#include "keybroker/backup/foreign_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>

#include "backup/foreign/kdf_cost.h"
#include "backup/openssl.h"
#include "unit/backup/open_foreign.h"
#include "unit/backup/sample.h"

namespace keybroker::backup::test {
namespace {

using credential::Certificate;
using credential::test::Issue;
using credential::test::TestKey;
using ::testing::HasSubstr;

KeyFileResult<ForeignKey> Open(const std::string& file, const char* password = kPassword) {
  return OpenForeign(file, password, false);
}

KeyFileDefect KeyFileRefusal(const std::string& file, const char* password = kPassword) {
  const auto found = Open(file, password);
  EXPECT_FALSE(found);
  return found ? KeyFileDefect{} : found.error().defect;
}

template <typename T>
std::string DerOf(const T* thing, int (*encode)(const T*, unsigned char**)) {
  uint8_t* der = nullptr;
  const int size = encode(thing, &der);
  std::string out(reinterpret_cast<const char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return out;
}

std::string Pkcs8(EVP_PKEY* key) {
  const Pkcs8Ptr info(EVP_PKEY2PKCS8(key));
  return DerOf(info.get(), i2d_PKCS8_PRIV_KEY_INFO);
}

// Encrypted is an EncryptedPrivateKeyInfo under kPassword.
std::string Encrypted(EVP_PKEY* key, X509_ALGOR* algorithm) {
  const AlgorPtr owned(algorithm);
  const Pkcs8Ptr info(EVP_PKEY2PKCS8(key));
  const SigPtr sig(PKCS8_set0_pbe(kPassword, static_cast<int>(sizeof kPassword - 1), info.get(),
                                  X509_ALGOR_dup(owned.get())));
  return DerOf(sig.get(), i2d_X509_SIG);
}

std::string Pbes2(EVP_PKEY* key) {
  return Encrypted(
      key, PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), 0x1111, nullptr, 16, nullptr, NID_hmacWithSHA256));
}

struct Chain {
  TestKey key = TestKey::Ec();
  TestKey middle_key = TestKey::Ec();
  TestKey root_key = TestKey::Ec();
  Certificate root = Issue({.subject = "Root", .is_ca = true}, root_key, nullptr, root_key);
  Certificate middle = Issue({.subject = "Middle", .is_ca = true}, middle_key, &root, root_key);
  Certificate leaf = Issue({.dns_names = {"mail.example.test"}}, key, &middle, middle_key);
};

X509* Decode(const Certificate& certificate) {
  const uint8_t* at = certificate.der.data();
  return d2i_X509(nullptr, &at, static_cast<long>(certificate.der.size()));
}

std::string Pkcs12(const Chain& chain) {
  STACK_OF(X509)* others = sk_X509_new_null();
  for (const Certificate& each : {chain.root, chain.middle}) sk_X509_push(others, Decode(each));
  const X509Ptr leaf(Decode(chain.leaf));
  const Pkcs12Ptr file(PKCS12_create(kPassword, "a name", chain.key.pkey(), leaf.get(), others,
                                     NID_aes_256_cbc, NID_aes_256_cbc, 1, 1, 0));
  sk_X509_pop_free(others, X509_free);
  return DerOf(file.get(), i2d_PKCS12);
}

// Sweep reads the file cut at every length, and with each byte flipped: what comes out is the very
// same key, or none.
void Sweep(const std::string& file, const std::vector<uint8_t>& spki, KeyFileDefect cut) {
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_EQ(KeyFileRefusal(file.substr(0, size)), cut) << size;
  }
  for (size_t i = 0; i < file.size(); ++i) {
    std::string damaged = file;
    damaged[i] = static_cast<char>(static_cast<unsigned char>(damaged[i]) ^ (1U << (i % 8)));
    const auto found = Open(damaged);
    EXPECT_TRUE(!found || found->spki == spki) << i;
  }
}

TEST(ForeignKey, OfAPkcs12FileBringsItsChainInOrder) {
  const Chain chain;
  const auto found = Open(Pkcs12(chain));
  ASSERT_TRUE(found) << found.error().detail;
  EXPECT_EQ(found->format, KeyFileFormat::kPkcs12);
  EXPECT_EQ(found->spki, chain.key.Spki());
  ASSERT_EQ(found->chain.size(), 2U);  // without the root
  EXPECT_EQ(found->chain[0].der, chain.leaf.der);
  EXPECT_EQ(found->chain[1].der, chain.middle.der);
  EXPECT_TRUE(found->notes.empty());
}

TEST(ForeignKey, OfAPkcs12FileIsTheSameOrNoneWhateverHappensToTheFile) {
  const Chain chain;
  Sweep(Pkcs12(chain), chain.key.Spki(), KeyFileDefect::kTruncated);
}

TEST(ForeignKey, OfPkcs8IsTheSameOrNoneWhateverHappensToTheFile) {
  const TestKey key = TestKey::Ec();
  Sweep(Pkcs8(key.pkey()), key.Spki(), KeyFileDefect::kTruncated);
}

TEST(ForeignKey, OfEncryptedPkcs8IsTheSameOrNoneWhateverHappensToTheFile) {
  const TestKey key = TestKey::Ec();
  Sweep(Encrypted(key.pkey(), PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), 1, nullptr, 16, nullptr,
                                                NID_hmacWithSHA256)),
        key.Spki(), KeyFileDefect::kTruncated);
}

X509_ALGOR* Pbkdf2(int iterations) {
  return PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), iterations, nullptr, 16, nullptr, NID_hmacWithSHA256);
}

// Nothing is derived to make this file, and nothing to refuse it.
TEST(ForeignKey, IsNotReadWhereTheCostIsOverTheCap) {
  const AlgorPtr dear(Pbkdf2(0x7fffffff));
  const SigPtr sig(X509_SIG_new());
  X509_ALGOR* algorithm = nullptr;
  ASN1_OCTET_STRING* octets = nullptr;
  X509_SIG_getm(sig.get(), &algorithm, &octets);
  ASSERT_EQ(X509_ALGOR_copy(algorithm, dear.get()), 1);
  ASSERT_EQ(ASN1_OCTET_STRING_set(octets, reinterpret_cast<const uint8_t*>("0123456789abcdef"), 16),
            1);
  EXPECT_EQ(KeyFileRefusal(DerOf(sig.get(), i2d_X509_SIG)), KeyFileDefect::kOverCap);
}

TEST(ForeignKey, UnderScryptIsReadUpToACost) {
  using namespace std::string_literals;
  const TestKey key = TestKey::Ec();
  const std::string scrypt = Encrypted(
      key.pkey(), PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), nullptr, 16, nullptr, 1024, 8, 1));
  EXPECT_TRUE(Open(scrypt));
  EXPECT_EQ(
      KeyFileRefusal(Edit(scrypt, "\x02\x01\x08\x02\x01\x01"s, "\x02\x01\x7f\x02\x01\x7f"s)),
      KeyFileDefect::kPassword);  // 2^10 * 127 * 127, just under 2^24: derived, and another key
  EXPECT_EQ(KeyFileRefusal(Edit(scrypt, "\x02\x02\x04\x00\x02\x01\x08\x02\x01\x01"s,
                                "\x02\x02\x10\x00\x02\x01\x7f\x02\x01\x7f"s)),
            KeyFileDefect::kOverCap);
}

TEST(ForeignKey, UnderScryptOfATebibyteIsNotDerived) {
  using namespace std::string_literals;
  const auto tlv = [](char tag, const std::string& content) {
    return std::string{tag, static_cast<char>(content.size())} + content;
  };
  // RFC 7914, section 7: N 2^30, r 8, p 1, which is 128 * N * r bytes.
  const std::string scrypt =
      tlv(0x30, "\x06\x09\x2b\x06\x01\x04\x01\xda\x47\x04\x0b"s +
                    tlv(0x30, tlv(0x04, std::string(16, 's')) + "\x02\x04\x40\x00\x00\x00"s +
                                  "\x02\x01\x08\x02\x01\x01"s));
  const std::string cipher =
      tlv(0x30, "\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2a"s + tlv(0x04, std::string(16, 'i')));
  const std::string pbes2 =
      tlv(0x30, "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d"s + tlv(0x30, scrypt + cipher));
  EXPECT_EQ(KeyFileRefusal(tlv(0x30, pbes2 + tlv(0x04, std::string(16, 'x')))),
            KeyFileDefect::kOverCap);
}

TEST(KdfCost, IsAddedUpOverAllPartsOfAFile) {
  const AlgorPtr most(Pbkdf2(9'999'999));
  const AlgorPtr one(Pbkdf2(1));
  KdfCost cost;
  EXPECT_TRUE(cost.Add(most.get()));
  EXPECT_TRUE(cost.Add(one.get()));
  EXPECT_EQ(cost.Add(one.get()).error().defect, KeyFileDefect::kOverCap);
}

TEST(KdfCost, KnowsTheOldEncryptionsAndTheMac) {
  const AlgorPtr old(PKCS5_pbe_set(NID_pbe_WithSHA1And40BitRC2_CBC, 10'000'001, nullptr, 8));
  EXPECT_EQ(KdfCost().Add(old.get()).error().defect, KeyFileDefect::kOverCap);
  const std::unique_ptr<ASN1_INTEGER, Free<ASN1_INTEGER_free>> number(ASN1_INTEGER_new());
  const std::unique_ptr<ASN1_OCTET_STRING, Free<ASN1_OCTET_STRING_free>> salt(
      ASN1_OCTET_STRING_new());
  for (const int64_t count : {int64_t{0x7fffffff}, int64_t{0x7fffffffffff}, int64_t{10'000'001}}) {
    ASSERT_EQ(ASN1_INTEGER_set_int64(number.get(), count), 1);
    EXPECT_EQ(KdfCost().AddMac(salt.get(), number.get()).error().defect, KeyFileDefect::kOverCap);
  }
  for (const int64_t count : {int64_t{0}, int64_t{-5}}) {
    ASSERT_EQ(ASN1_INTEGER_set_int64(number.get(), count), 1);
    EXPECT_EQ(KdfCost().AddMac(salt.get(), number.get()).error().defect, KeyFileDefect::kDamaged);
  }
  const AlgorPtr no_pbe(X509_ALGOR_new());
  ASSERT_EQ(X509_ALGOR_set0(no_pbe.get(), OBJ_nid2obj(NID_sha256), V_ASN1_NULL, nullptr), 1);
  EXPECT_EQ(KdfCost().Add(no_pbe.get()).error().defect, KeyFileDefect::kUnsupported);
}

TEST(ForeignKey, OfOtherKindsIsRefusedWithTheReason) {
  const std::pair<const char*, const char*> kinds[] = {
      {"ED25519", "libp11"}, {"X25519", "TLS servers sign"}, {"RSA-PSS", "RSA-PSS"}};
  for (const auto& [name, why] : kinds) {
    EVP_PKEY* made = nullptr;
    const EvpKeyCtx ctx(EVP_PKEY_CTX_new_from_name(nullptr, name, nullptr));
    ASSERT_EQ(EVP_PKEY_keygen_init(ctx.get()), 1);
    ASSERT_EQ(EVP_PKEY_generate(ctx.get(), &made), 1) << name;
    const EvpKey key(made);
    const auto found = Open(Pkcs8(key.get()));
    ASSERT_FALSE(found) << name;
    EXPECT_EQ(found.error().defect, KeyFileDefect::kUnsupported);
    EXPECT_THAT(found.error().detail, HasSubstr(why));
  }
  const auto curve = Open(Pkcs8(TestKey::Ec("secp256k1").pkey()));
  ASSERT_FALSE(curve);
  EXPECT_THAT(curve.error().detail, HasSubstr("secp256k1"));
  EXPECT_EQ(KeyFileRefusal(Pkcs8(TestKey::Rsa(2304).pkey())), KeyFileDefect::kUnsupported);
  EXPECT_EQ(KeyFileRefusal(Pkcs8(TestKey::Rsa(1024).pkey())), KeyFileDefect::kWeak);
}

TEST(ForeignKey, WithNumbersThatDoNotFitIsRefused) {
  const TestKey key = TestKey::Rsa(2048);
  std::string der = Pkcs8(key.pkey());
  der[der.size() - 40] = static_cast<char>(der[der.size() - 40] ^ 1);  // in the CRT coefficient
  EXPECT_EQ(KeyFileRefusal(der), KeyFileDefect::kDamaged);
}

TEST(ForeignKey, IsAskedForItsPasswordOnlyWhereItHasOne) {
  const TestKey key = TestKey::Ec();
  EXPECT_TRUE(Open(Pkcs8(key.pkey()), nullptr));
  EXPECT_EQ(KeyFileRefusal(Pbes2(key.pkey()), nullptr), KeyFileDefect::kPasswordWanted);
  EXPECT_EQ(KeyFileRefusal(Pkcs12(Chain()), nullptr), KeyFileDefect::kPasswordWanted);
  EXPECT_EQ(KeyFileRefusal(Pbes2(key.pkey()), "another"), KeyFileDefect::kPassword);
  EXPECT_EQ(KeyFileRefusal(Pkcs12(Chain()), "another"), KeyFileDefect::kPassword);
}

TEST(ForeignKey, IsToldFromWhatIsNone) {
  const Chain chain;
  const std::string leaf(chain.leaf.der.begin(), chain.leaf.der.end());
  EXPECT_EQ(KeyFileRefusal(leaf), KeyFileDefect::kNotAKeyFile);
  EXPECT_EQ(KeyFileRefusal("-----BEGIN NOTHING-----\n"), KeyFileDefect::kTruncated);
  EXPECT_EQ(KeyFileRefusal(std::string(kMaxKeyFile + 1, '0')), KeyFileDefect::kNotAKeyFile);
  EXPECT_EQ(KeyFileRefusal(Pkcs8(chain.key.pkey()) + "x"), KeyFileDefect::kDamaged);
  EXPECT_EQ(KeyFileRefusal(std::string("\x30\x80", 2)), KeyFileDefect::kNotAKeyFile);
}

}  // namespace
}  // namespace keybroker::backup::test
