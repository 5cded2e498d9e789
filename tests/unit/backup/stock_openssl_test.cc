// Every kind of backup opens with the stock `openssl pkcs12` that is on every host, and gives the
// key that was on the token.
#include <gmock/gmock.h>
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

class StockOpenSsl : public ::testing::TestWithParam<Kind> {
 protected:
  static std::unique_ptr<keybroker::test::SoftToken> MakeToken() {
    if (std::string(GetParam().token) == "nss")
      return std::make_unique<keybroker::test::NssToken>();
    return std::make_unique<keybroker::test::SoftHsmToken>();
  }

  // WriteBackup leaves the key's backup in the token's folder.
  std::string WriteBackup(const token::KeyPair& key, const token::Session& session) {
    Backup backup;
    backup.manifest = SampleManifest(credential::test::TestKey::Ec());
    backup.manifest.spki = key.spki;
    backup.manifest.id = key.id;
    backup.manifest.type = key.type;
    backup.manifest.bits = key.bits;
    backup.kdf = *NewKdf(kMinIterations);
    backup.kdf.iterations = kCheapIterations;
    backup.mac_iterations = 2 * kCheapIterations;
    const Secret password = keybroker::test::TestSecret(kPassword);
    const auto kek = DeriveKek(password, backup.kdf);
    auto wrapped = token::WrapPrivateKey(session, key, *kek, GetParam().algorithm);
    EXPECT_TRUE(wrapped) << wrapped.error().detail;
    backup.key = *wrapped;
    const std::string file = soft_->dir() / "key.p12";
    keybroker::test::WriteAll(file, *FormatBackup(backup, password));
    return file;
  }

  std::unique_ptr<keybroker::test::SoftToken> soft_ = MakeToken();
};

TEST_P(StockOpenSsl, OpensTheBackup) {
  const token::Token token = soft_->LogIn();
  const token::Session session = *token.OpenSession(true);
  const auto key = token::GenerateKey(
      session, token::Profile{}, {GetParam().type, GetParam().bits, "mail.example.test", true});
  ASSERT_TRUE(key) << key.error().detail;
  const std::string file = WriteBackup(*key, session);
  keybroker::test::WriteAll(soft_->dir() / "password", std::string(kPassword) + "\n");
  const auto opened = RunCommand({"openssl", "pkcs12", "-in", file, "-nodes", "-passin",
                                  "file:" + (soft_->dir() / "password").string()});
  ASSERT_EQ(opened.status, 0) << opened.err;
  EXPECT_THAT(opened.out, ::testing::HasSubstr("BEGIN PRIVATE KEY"));
  const auto public_key =
      RunCommand({"openssl", "pkey", "-pubout", "-outform", "DER"}, {}, opened.out);
  ASSERT_EQ(public_key.status, 0) << public_key.err;
  EXPECT_EQ(public_key.out, std::string(key->spki.begin(), key->spki.end()));
}

INSTANTIATE_TEST_SUITE_P(
    Formats, StockOpenSsl,
    ::testing::Values(
        Kind{"SoftHsmWrapPadRsa", "softhsm", WrapAlgorithm::kAesKeyWrapPad, KeyType::kRsa, 2048},
        Kind{"SoftHsmWrapPadRsa4096", "softhsm", WrapAlgorithm::kAesKeyWrapPad, KeyType::kRsa,
             4096},
        Kind{"SoftHsmWrapPadP256", "softhsm", WrapAlgorithm::kAesKeyWrapPad, KeyType::kEc, 256},
        Kind{"SoftHsmWrapPadP384", "softhsm", WrapAlgorithm::kAesKeyWrapPad, KeyType::kEc, 384},
        Kind{"NssWrapPadRsa", "nss", WrapAlgorithm::kAesKeyWrapPad, KeyType::kRsa, 2048},
        Kind{"NssWrapPadP256", "nss", WrapAlgorithm::kAesKeyWrapPad, KeyType::kEc, 256},
        Kind{"NssCbcRsa", "nss", WrapAlgorithm::kAesCbcPad, KeyType::kRsa, 2048},
        Kind{"NssCbcP256", "nss", WrapAlgorithm::kAesCbcPad, KeyType::kEc, 256}),
    [](const auto& kind) { return std::string(kind.param.name); });

}  // namespace
}  // namespace keybroker::backup::test
