#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

#include "backup/foreign/key_manager.h"
#include "unit/backup/key_manager_file.h"
#include "unit/backup/open_foreign.h"
#include "unit/backup/sample.h"

namespace keybroker::backup::test {
namespace {

using credential::test::Issue;
using credential::test::TestKey;
using ::testing::HasSubstr;

constexpr char kKeyPassword[] = "Backup1!";

std::string Pkcs8Of(const TestKey& key) {
  PKCS8_PRIV_KEY_INFO* info = EVP_PKEY2PKCS8(key.pkey());
  uint8_t* der = nullptr;
  const int size = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
  PKCS8_PRIV_KEY_INFO_free(info);
  std::string out(reinterpret_cast<const char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return out;
}

const TestKey& Key() {
  static const TestKey key = TestKey::Rsa(1024);  // small, to be read a thousand times
  return key;
}

KeyManagerSpec Spec() {
  KeyManagerSpec spec;
  spec.pkcs8 = Pkcs8Of(Key());
  spec.password = kKeyPassword;
  return spec;
}

// WithCertificate has junk before, as newer versions write it, and the certificate inside.
KeyManagerSpec WithCertificate() {
  KeyManagerSpec spec = Spec();
  const auto certificate = Issue({.dns_names = {"mail.example.test"}}, Key(), nullptr, Key()).der;
  spec.certificate.assign(certificate.begin(), certificate.end());
  spec.before = std::string("\x30\x82 a certificate of a private-key \x04\x0bprivate-key ") + '\0';
  return spec;
}

KeyFileResult<ForeignKey> OpenSmall(const std::string& file, const char* password = kKeyPassword) {
  return OpenForeign(file, password, true);
}

TEST(KeyManager, IsReadInBothVariants) {
  for (const bool sgc : {false, true}) {
    KeyManagerSpec spec = Spec();
    spec.sgc = sgc;
    const auto found = OpenSmall(WriteKeyManagerFile(spec));
    ASSERT_TRUE(found) << found.error().detail;
    EXPECT_EQ(found->format, KeyFileFormat::kKeyManager);
    EXPECT_EQ(found->spki, Key().Spki());
    EXPECT_EQ(found->bits, 1024U);
    EXPECT_EQ(found->protection.find("SGC") != std::string::npos, sgc);
    EXPECT_TRUE(found->chain.empty());
    EXPECT_TRUE(found->pkcs8.Equals(*Secret::CopyFrom(std::string_view(spec.pkcs8))));
  }
}

TEST(KeyManager, IsFoundAfterLeadingDataWithItsCertificate) {
  const KeyManagerSpec spec = WithCertificate();
  const auto found = OpenSmall(WriteKeyManagerFile(spec));
  ASSERT_TRUE(found) << found.error().detail;
  ASSERT_EQ(found->chain.size(), 1U);
  EXPECT_EQ(found->chain[0].dns_names, std::vector<std::string>{"mail.example.test"});
  EXPECT_EQ(found->notes.size(), 1U);  // that it is weak
}

TEST(KeyManager, IsReadThoughItsOuterLengthIsWrongOrIndefinite) {
  const std::string file = WriteKeyManagerFile(Spec());
  std::string wrong = file;
  wrong[2] = wrong[3] = '\x01';
  EXPECT_TRUE(OpenSmall(wrong));
  std::string indefinite = "\x30\x80" + file.substr(4) + std::string(2, '\0');
  EXPECT_TRUE(OpenSmall(indefinite));
  EXPECT_TRUE(OpenSmall("\x30\x80" + file.substr(4)));  // the end that it wants left out
}

TEST(KeyManager, WantsAPasswordAndTheRightOne) {
  const std::string file = WriteKeyManagerFile(Spec());
  EXPECT_EQ(ReadKeyFile(BytesOf(file), nullptr, false).error().defect,
            KeyFileDefect::kPasswordWanted);
  const auto wrong = OpenSmall(file, "backup1!");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().defect, KeyFileDefect::kPassword);
  EXPECT_THAT(wrong.error().detail, HasSubstr("cannot tell"));
}

// The key ends where the file does: any cut is one into the key.
TEST(KeyManager, IsRefusedAtEveryLengthThatCutsTheKey) {
  const std::string file = WriteKeyManagerFile(Spec());
  for (size_t size = 0; size < file.size(); ++size) {
    const auto found = OpenSmall(file.substr(0, size));
    ASSERT_FALSE(found) << size;
    ASSERT_EQ(found.error().defect, KeyFileDefect::kTruncated) << size << found.error().detail;
  }
}

// Cut in the certificate, or in what is before the key, nothing is read that is not there.
TEST(KeyManager, KeepsTheKeyWhereOnlyTheCertificateIsCut) {
  KeyManagerSpec bare = WithCertificate();
  bare.certificate.clear();
  const size_t key_ends = WriteKeyManagerFile(bare).size();
  const std::string file = WriteKeyManagerFile(WithCertificate());
  for (size_t size = 0; size < file.size(); ++size) {
    const auto found = OpenSmall(file.substr(0, size));
    ASSERT_EQ(found.has_value(), size >= key_ends) << size;
    EXPECT_TRUE(!found || found->chain.empty()) << size;
  }
  const auto lost = OpenSmall(file.substr(0, file.size() - 1));
  ASSERT_EQ(lost->notes.size(), 2U);
  EXPECT_THAT(lost->notes[1], HasSubstr("does not parse"));
}

// Whatever one byte becomes, either the very same key is read or none.
TEST(KeyManager, GivesTheSameKeyOrNoneWithAnyByteFlipped) {
  const std::string file = WriteKeyManagerFile(Spec());
  size_t taken = 0;
  for (size_t i = 0; i < file.size(); ++i) {
    std::string damaged = file;
    damaged[i] = static_cast<char>(static_cast<unsigned char>(damaged[i]) ^ (1U << (i % 8)));
    const auto found = OpenSmall(damaged);
    EXPECT_TRUE(!found || found->spki == Key().Spki()) << i;
    taken += found ? 1 : 0;
  }
  // The outermost length, which nobody reads; the tag of the algorithm's NULL; the version.
  EXPECT_LE(taken, 5U);
}

TEST(KeyManager, IsNotSearchedForForEver) {
  std::string many;
  for (int i = 0; i < 40000; ++i)
    many += std::string("\x30\x80\x04\x0bprivate-key\x04\x0b") + "certificate0";
  EXPECT_FALSE(FindKeyManager(BytesOf(many)));
  EXPECT_FALSE(*FindKeyManager(BytesOf("nothing of the kind")));
  EXPECT_FALSE(*FindKeyManager({}));
}

TEST(KeyManager, WithACiphertextOverTheCapIsRefused) {
  KeyManagerSpec spec = Spec();
  spec.pkcs8 += std::string(20000, 'x');
  const auto found = OpenSmall(WriteKeyManagerFile(spec));
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().defect, KeyFileDefect::kDamaged);
}

TEST(KeyManager, LeavesTheProcessWithoutItsAlgorithms) {
  ASSERT_TRUE(OpenSmall(WriteKeyManagerFile(Spec())));
  EXPECT_EQ(EVP_CIPHER_fetch(nullptr, "RC4", nullptr), nullptr);
  EXPECT_EQ(EVP_CIPHER_fetch(nullptr, "DES-CBC", nullptr), nullptr);
  EXPECT_EQ(OSSL_PROVIDER_available(nullptr, "legacy"), 0);
  EXPECT_EQ(LegacyLibrary().Cipher("RC4") == nullptr, false);
}

}  // namespace
}  // namespace keybroker::backup::test
