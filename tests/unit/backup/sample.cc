#include "unit/backup/sample.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <memory>

#include "backup/cms/encode.h"

namespace keybroker::backup::test {
namespace {

using credential::test::Issue;
using credential::test::TestKey;

// HostWrap is RFC 5649 by OpenSSL, of the key's PKCS#8.
std::vector<uint8_t> HostWrap(const TestKey& key, const Secret& kek) {
  PKCS8_PRIV_KEY_INFO* info = EVP_PKEY2PKCS8(key.pkey());
  uint8_t* der = nullptr;
  const int size = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
  PKCS8_PRIV_KEY_INFO_free(info);
  std::vector<uint8_t> out(static_cast<size_t>(size) + 32);
  EVP_CIPHER_CTX* ctx = EVP_CIPHER_CTX_new();
  EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
  int length = 0;
  EXPECT_EQ(EVP_EncryptInit_ex(ctx, EVP_aes_256_wrap_pad(), nullptr, kek.Expose().data(), nullptr),
            1);
  EXPECT_EQ(EVP_EncryptUpdate(ctx, out.data(), &length, der, size), 1);
  EVP_CIPHER_CTX_free(ctx);
  OPENSSL_free(der);
  out.resize(static_cast<size_t>(length));
  return out;
}

}  // namespace

Manifest SampleManifest(const TestKey& key) {
  Manifest manifest;
  manifest.name = "mail.example.test";
  manifest.type = key.Public().type;
  manifest.bits = key.Public().bits;
  manifest.spki = key.Spki();
  manifest.id = *token::SubjectKeyId(manifest.spki);
  manifest.current = true;
  manifest.bindings = {{"https", {"tls-server"}}, {"smtp", {"CKM_ECDSA", "CKM_ECDSA_SHA256"}}};
  manifest.token = {"stack", "SoftHSM project", "SoftHSM v2", "0123456789abcdef", "2.6"};
  manifest.created = credential::test::kNow;
  manifest.sequence = 3;
  return manifest;
}

Backup Sample() {
  const TestKey key = TestKey::Ec();
  const TestKey ca_key = TestKey::Ec();
  Backup backup;
  backup.manifest = SampleManifest(key);
  backup.kdf = *NewKdf(kMinIterations);
  backup.kdf.iterations = kCheapIterations;
  backup.mac_iterations = 1000;
  const auto password = Secret::CopyFrom(std::string_view(kPassword));
  const auto kek = DeriveKek(*password, backup.kdf);
  backup.key.bytes = HostWrap(key, *kek);
  const auto ca = Issue({.subject = "Test CA", .is_ca = true}, ca_key, nullptr, ca_key);
  backup.chain = {Issue({.dns_names = {"mail.example.test"}}, key, &ca, ca_key), ca};
  return backup;
}

std::string SampleFile(const Backup& backup) {
  const auto password = Secret::CopyFrom(std::string_view(kPassword));
  auto bytes = FormatBackup(backup, *password);
  EXPECT_TRUE(bytes) << bytes.error().detail;
  return bytes ? *bytes : std::string();
}

Secret CmsSample::Pkcs8(const TestKey& key) {
  PKCS8_PRIV_KEY_INFO* info = EVP_PKEY2PKCS8(key.pkey());
  uint8_t* der = nullptr;
  const int size = i2d_PKCS8_PRIV_KEY_INFO(info, &der);
  PKCS8_PRIV_KEY_INFO_free(info);
  auto secret = Secret::CopyFrom({der, static_cast<size_t>(size)});
  OPENSSL_free(der);
  return std::move(*secret);
}

CmsSample SampleCms() {
  CmsSample sample;
  const TestKey ca_key = TestKey::Ec();
  const auto content_key = Secret::CopyFrom(std::string_view("0123456789abcdef0123456789abcdef"));
  Backup& backup = sample.backup;
  backup.format = FileFormat::kCms;
  backup.manifest = SampleManifest(sample.key);
  backup.key.bytes = HostWrap(sample.key, *content_key);
  const auto ca = Issue({.subject = "Test CA", .is_ca = true}, ca_key, nullptr, ca_key);
  backup.chain = {Issue({.dns_names = {"mail.example.test"}}, sample.key, &ca, ca_key), ca};
  const auto recovery = Issue({.subject = "Recovery"}, sample.recovery, nullptr, sample.recovery);
  backup.recipients = {{*IssuerAndSerial(recovery),
                        *token::HostOaepWrap(sample.recovery.pkey(), backup.oaep, *content_key)}};
  return sample;
}

std::string CmsFile(Backup backup, const TestKey& key) {
  const std::string attributes = *CmsSignedAttributes(backup);
  const token::Bytes message(reinterpret_cast<const uint8_t*>(attributes.data()),
                             attributes.size());
  backup.signature = *credential::SignMessage(key.Public(), message, key.AsSigner());
  return *EncodeSigned(backup);
}

std::string Edit(std::string bytes, const std::string& from, const std::string& to) {
  EXPECT_EQ(from.size(), to.size());
  const size_t at = bytes.find(from);
  EXPECT_NE(at, std::string::npos) << "not in the file";
  if (at != std::string::npos) bytes.replace(at, from.size(), to);
  return bytes;
}

}  // namespace keybroker::backup::test
