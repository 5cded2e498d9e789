// Every kind of backup opens with the stock `openssl pkcs12` that is on every host, and gives the
// key that was on the token; those of the portable encryption with the other readers too.
#include <gmock/gmock.h>
#include <gnutls/abstract.h>
#include <gnutls/pkcs12.h>
#include <gtest/gtest.h>

#include "keybroker/backup/backup_file.h"
#include "keybroker/base/hex.h"
#include "support/command.h"
#include "support/soft_token.h"
#include "unit/backup/sample.h"

namespace keybroker::backup::test {
namespace {

using cryptoki::KeyType;
using keybroker::test::RunCommand;
using token::WrapAlgorithm;

struct Kind {
  const char* name;
  const char* token;
  WrapAlgorithm algorithm;
  KeyType type;
  uint32_t bits;
};

void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

using credential::test::Issue;
using credential::test::TestKey;

class StockReader : public ::testing::TestWithParam<Kind> {
 protected:
  static std::unique_ptr<keybroker::test::SoftToken> MakeToken() {
    if (std::string(GetParam().token) == "nss")
      return std::make_unique<keybroker::test::NssToken>();
    return std::make_unique<keybroker::test::SoftHsmToken>();
  }

  // SetUp makes a key on the token, its certificate and its backup file.
  void SetUp() override {
    const token::Token token = soft_->LogIn();
    const token::Session session = *token.OpenSession(true);
    const auto key = token::GenerateKey(
        session, token::Profile{}, {GetParam().type, GetParam().bits, "mail.example.test", true});
    ASSERT_TRUE(key) << key.error().detail;
    spki_ = key->spki;
    keybroker::test::WriteAll(File("password"), std::string(kPassword) + "\n");
    WriteBackup(*key, session);
  }

  void WriteBackup(const token::KeyPair& key, const token::Session& session) {
    const TestKey ca_key = TestKey::Ec();
    const auto ca = Issue({.subject = "Test CA", .is_ca = true}, ca_key, nullptr, ca_key);
    Backup backup;
    backup.manifest = SampleManifest(TestKey::Of(key.spki));
    backup.manifest.id = key.id;
    backup.chain = {Issue({.dns_names = {"mail.example.test"}}, TestKey::Of(key.spki), &ca, ca_key),
                    ca};
    backup.kdf = *NewKdf(kMinIterations);
    backup.kdf.iterations = kCheapIterations;
    backup.mac_iterations = 2 * kCheapIterations;
    const Secret password = keybroker::test::TestSecret(kPassword);
    const auto kek = DeriveKek(password, backup.kdf);
    auto wrapped = token::WrapPrivateKey(session, key, *kek, GetParam().algorithm);
    ASSERT_TRUE(wrapped) << wrapped.error().detail;
    backup.key = *wrapped;
    keybroker::test::WriteAll(File("key.p12"), *FormatBackup(backup, password));
  }

  std::string File(const std::string& name) const { return soft_->dir() / name; }

  // ExpectTheKey holds a private key in PEM to the token's public key.
  void ExpectTheKey(const std::string& pem) const {
    EXPECT_THAT(pem, ::testing::HasSubstr("PRIVATE KEY-----"));
    const auto key = RunCommand({"openssl", "pkey", "-pubout", "-outform", "DER"}, {}, pem);
    ASSERT_EQ(key.status, 0) << key.err;
    EXPECT_EQ(key.out, std::string(spki_.begin(), spki_.end()));
  }

  // OpenWithOpenSsl gives what `openssl pkcs12` prints of a file.
  std::string OpenWithOpenSsl(const std::string& file) const {
    const auto opened = RunCommand(
        {"openssl", "pkcs12", "-in", file, "-nodes", "-passin", "file:" + File("password")});
    EXPECT_EQ(opened.status, 0) << opened.err;
    return opened.out;
  }

  std::unique_ptr<keybroker::test::SoftToken> soft_ = MakeToken();
  std::vector<uint8_t> spki_;
};

TEST_P(StockReader, OpenSslOpensTheBackup) { ExpectTheKey(OpenWithOpenSsl(File("key.p12"))); }

INSTANTIATE_TEST_SUITE_P(
    Formats, StockReader,
    ::testing::Values(
        Kind{"SoftHsmWrapPadRsa", "softhsm", WrapAlgorithm::kAesKeyWrapPad, KeyType::kRsa, 2048},
        Kind{"SoftHsmWrapPadRsa3072", "softhsm", WrapAlgorithm::kAesKeyWrapPad, KeyType::kRsa,
             3072},
        Kind{"SoftHsmWrapPadRsa4096", "softhsm", WrapAlgorithm::kAesKeyWrapPad, KeyType::kRsa,
             4096},
        Kind{"SoftHsmWrapPadP256", "softhsm", WrapAlgorithm::kAesKeyWrapPad, KeyType::kEc, 256},
        Kind{"SoftHsmWrapPadP384", "softhsm", WrapAlgorithm::kAesKeyWrapPad, KeyType::kEc, 384},
        Kind{"SoftHsmWrapPadP521", "softhsm", WrapAlgorithm::kAesKeyWrapPad, KeyType::kEc, 521},
        Kind{"NssWrapPadRsa", "nss", WrapAlgorithm::kAesKeyWrapPad, KeyType::kRsa, 2048},
        Kind{"NssWrapPadP256", "nss", WrapAlgorithm::kAesKeyWrapPad, KeyType::kEc, 256},
        Kind{"NssWrapPadRsa3072", "nss", WrapAlgorithm::kAesKeyWrapPad, KeyType::kRsa, 3072},
        Kind{"NssWrapPadP384", "nss", WrapAlgorithm::kAesKeyWrapPad, KeyType::kEc, 384},
        Kind{"NssWrapPadP521", "nss", WrapAlgorithm::kAesKeyWrapPad, KeyType::kEc, 521},
        Kind{"NssCbcRsa", "nss", WrapAlgorithm::kAesCbcPad, KeyType::kRsa, 2048},
        Kind{"NssCbcRsa3072", "nss", WrapAlgorithm::kAesCbcPad, KeyType::kRsa, 3072},
        Kind{"NssCbcRsa4096", "nss", WrapAlgorithm::kAesCbcPad, KeyType::kRsa, 4096},
        Kind{"NssCbcP256", "nss", WrapAlgorithm::kAesCbcPad, KeyType::kEc, 256},
        Kind{"NssCbcP384", "nss", WrapAlgorithm::kAesCbcPad, KeyType::kEc, 384},
        Kind{"NssCbcP521", "nss", WrapAlgorithm::kAesCbcPad, KeyType::kEc, 521}),
    [](const auto& kind) { return std::string(kind.param.name); });

class PortableReader : public StockReader {};

// What an import gave is asked back as another PKCS#12 file, which openssl reads.
TEST_P(PortableReader, NssImportsTheBackup) {
  const std::string database = "sql:" + File("nssdb");
  std::filesystem::create_directory(File("nssdb"));
  RunCommand({"certutil", "-N", "-d", database, "--empty-password"});
  const auto imported = RunCommand(
      {"pk12util", "-i", File("key.p12"), "-d", database, "-w", File("password"), "-K", ""});
  ASSERT_EQ(imported.status, 0) << imported.out << imported.err;
  const auto exported = RunCommand({"pk12util", "-o", File("out.p12"), "-n", "mail.example.test",
                                    "-d", database, "-w", File("password"), "-K", ""});
  ASSERT_EQ(exported.status, 0) << exported.out << exported.err;
  ExpectTheKey(OpenWithOpenSsl(File("out.p12")));
}

TEST_P(PortableReader, JavaImportsTheBackup) {
  const auto imported = RunCommand({"keytool", "-importkeystore", "-noprompt", "-srcstoretype",
                                    "PKCS12", "-srckeystore", File("key.p12"), "-srcstorepass:file",
                                    File("password"), "-deststoretype", "PKCS12", "-destkeystore",
                                    File("out.p12"), "-deststorepass:file", File("password")});
  ASSERT_EQ(imported.status, 0) << imported.out << imported.err;
  ExpectTheKey(OpenWithOpenSsl(File("out.p12")));
}

// certtool --p12-info would be no proof: it shows the key bag still encrypted.
TEST_P(PortableReader, GnuTlsOpensTheBackup) {
  const std::string bytes = keybroker::test::ReadAll(File("key.p12"));
  const auto view = [](const std::string& text) {
    return gnutls_datum_t{reinterpret_cast<unsigned char*>(const_cast<char*>(text.data())),
                          static_cast<unsigned>(text.size())};
  };
  const gnutls_datum_t der = view(bytes);
  gnutls_pkcs12_t file = nullptr;
  gnutls_x509_privkey_t key = nullptr;
  ASSERT_EQ(gnutls_pkcs12_init(&file), 0);
  ASSERT_EQ(gnutls_pkcs12_import(file, &der, GNUTLS_X509_FMT_DER, 0), 0);
  EXPECT_EQ(gnutls_pkcs12_verify_mac(file, kPassword), 0);
  const int parsed = gnutls_pkcs12_simple_parse(file, kPassword, &key, nullptr, nullptr, nullptr,
                                                nullptr, nullptr, 0);
  ASSERT_EQ(parsed, 0) << gnutls_strerror(parsed);
  gnutls_privkey_t abstract = nullptr;
  gnutls_pubkey_t public_key = nullptr;
  gnutls_datum_t spki{};
  EXPECT_EQ(gnutls_privkey_init(&abstract), 0);
  EXPECT_EQ(gnutls_pubkey_init(&public_key), 0);
  EXPECT_EQ(gnutls_privkey_import_x509(abstract, key, 0), 0);
  EXPECT_EQ(gnutls_pubkey_import_privkey(public_key, abstract, 0, 0), 0);
  EXPECT_EQ(gnutls_pubkey_export2(public_key, GNUTLS_X509_FMT_DER, &spki), 0);
  EXPECT_EQ(std::vector<uint8_t>(spki.data, spki.data + spki.size), spki_);
  gnutls_free(spki.data);
  gnutls_pubkey_deinit(public_key);
  gnutls_privkey_deinit(abstract);
  gnutls_x509_privkey_deinit(key);
  gnutls_pkcs12_deinit(file);
}

INSTANTIATE_TEST_SUITE_P(
    Formats, PortableReader,
    ::testing::Values(Kind{"Rsa", "nss", WrapAlgorithm::kAesCbcPad, KeyType::kRsa, 2048},
                      Kind{"Rsa3072", "nss", WrapAlgorithm::kAesCbcPad, KeyType::kRsa, 3072},
                      Kind{"P256", "nss", WrapAlgorithm::kAesCbcPad, KeyType::kEc, 256},
                      Kind{"P384", "nss", WrapAlgorithm::kAesCbcPad, KeyType::kEc, 384},
                      Kind{"P521", "nss", WrapAlgorithm::kAesCbcPad, KeyType::kEc, 521}),
    [](const auto& kind) { return std::string(kind.param.name); });

}  // namespace
}  // namespace keybroker::backup::test
