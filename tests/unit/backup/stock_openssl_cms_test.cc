// Every kind of CMS backup opens with the stock `openssl cms` and the recovery key, and gives the
// key that was on the token.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "keybroker/backup/cms.h"
#include "keybroker/credential/sign_message.h"
#include "keybroker/token/recipient_wrap.h"
#include "support/command.h"
#include "support/soft_token.h"
#include "unit/backup/sample.h"

namespace keybroker::backup::test {
namespace {

using cryptoki::KeyType;
using keybroker::test::RunCommand;
using token::WrapAlgorithm;

struct CmsKind {
  const char* name;
  const char* token;
  WrapAlgorithm algorithm;
  KeyType type;
  uint32_t bits;
  token::OaepHash hash;  // what this token's RSA-OAEP can
};

void PrintTo(const CmsKind& kind, std::ostream* out) { *out << kind.name; }

class StockOpenSslCms : public ::testing::TestWithParam<CmsKind> {
 protected:
  std::string File(const std::string& name) const { return soft_->dir() / name; }

  void OpenSsl(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "openssl");
    const auto result = RunCommand(arguments);
    ASSERT_EQ(result.status, 0) << ::testing::PrintToString(arguments) << result.err;
  }

  // MakeRecoveryKey leaves recovery.key and recovery.crt.
  credential::Certificate MakeRecoveryKey() const {
    OpenSsl({"req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Recovery",
             "-keyout", File("recovery.key"), "-out", File("recovery.crt")});
    return credential::ParseCertificates(keybroker::test::ReadAll(File("recovery.crt")))->front();
  }

  // Certificate leaves the key's, issued by a CA of the test's.
  credential::Certificate Certificate(const token::KeyPair& key) const {
    keybroker::test::WriteAll(File("key.spki"), std::string(key.spki.begin(), key.spki.end()));
    OpenSsl({"x509", "-new", "-force_pubkey", File("key.spki"), "-subj", "/CN=leaf", "-days", "2",
             "-CA", File("recovery.crt"), "-CAkey", File("recovery.key"), "-out",
             File("leaf.crt")});
    return credential::ParseCertificates(keybroker::test::ReadAll(File("leaf.crt")))->front();
  }

  Backup Make(const token::KeyPair& key, const token::Session& session,
              const credential::Certificate& recovery) const {
    Backup backup;
    backup.format = FileFormat::kCms;
    backup.manifest = SampleManifest(credential::test::TestKey::Ec());
    backup.manifest.spki = key.spki;
    backup.manifest.id = key.id;
    backup.manifest.type = key.type;
    backup.manifest.bits = key.bits;
    backup.chain = {Certificate(key)};
    const auto way = token::ProbeRecipientWay(session, GetParam().algorithm);
    EXPECT_TRUE(way) << way.error().detail;
    EXPECT_EQ(way->host_because, "");
    EXPECT_EQ(way->hash, GetParam().hash);
    const std::vector<std::vector<uint8_t>> spkis = {recovery.spki};
    auto wrapped = token::WrapToRecipients(session, key, spkis, *way);
    EXPECT_TRUE(wrapped) << wrapped.error().detail;
    backup.key = wrapped->key;
    backup.oaep = wrapped->hash;
    backup.recipients = {{*IssuerAndSerial(recovery), wrapped->content_keys[0]}};
    const std::string attributes = *CmsSignedAttributes(backup);
    const auto signature = credential::SignMessage(
        {key.type, key.bits, key.spki},
        {reinterpret_cast<const uint8_t*>(attributes.data()), attributes.size()},
        [&](CK_MECHANISM_TYPE mechanism, token::Bytes data) {
          return session.Sign(key.private_key, mechanism, std::nullopt, data);
        });
    EXPECT_TRUE(signature) << signature.error().detail;
    backup.signature = *signature;
    return backup;
  }

  std::unique_ptr<keybroker::test::SoftToken> soft_ =
      keybroker::test::MakeSoftToken(GetParam().token);
};

TEST_P(StockOpenSslCms, VerifiesAndDecryptsTheBackup) {
  const token::Token token = soft_->LogIn();
  const token::Session session = *token.OpenSession(true);
  const auto key = token::GenerateKey(
      session, token::Profile{}, {GetParam().type, GetParam().bits, "mail.example.test", true});
  ASSERT_TRUE(key) << key.error().detail;
  const auto recovery = MakeRecoveryKey();
  const auto bytes = FormatCms(Make(*key, session, recovery));
  ASSERT_TRUE(bytes) << bytes.error().detail;
  keybroker::test::WriteAll(File("key.cms"), *bytes);

  // docs/recovery.md has these very commands.
  OpenSsl({"cms", "-verify", "-noverify", "-inform", "DER", "-in", File("key.cms"), "-out",
           File("inner.cms"), "-certsout", File("chain.pem")});
  OpenSsl({"cms", "-decrypt", "-inform", "DER", "-in", File("inner.cms"), "-recip",
           File("recovery.crt"), "-inkey", File("recovery.key"), "-out", File("key.der")});
  const auto opened = RunCommand(
      {"openssl", "pkey", "-inform", "DER", "-in", File("key.der"), "-pubout", "-outform", "DER"});
  ASSERT_EQ(opened.status, 0) << opened.err;
  EXPECT_EQ(opened.out, std::string(key->spki.begin(), key->spki.end()));
  EXPECT_EQ(keybroker::test::ReadAll(File("chain.pem")).find("-----BEGIN CERTIFICATE"), 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Formats, StockOpenSslCms,
    ::testing::Values(CmsKind{"SoftHsmRsa2048", "softhsm", WrapAlgorithm::kAesKeyWrapPad,
                              KeyType::kRsa, 2048, token::OaepHash::kSha1},
                      CmsKind{"SoftHsmRsa3072", "softhsm", WrapAlgorithm::kAesKeyWrapPad,
                              KeyType::kRsa, 3072, token::OaepHash::kSha1},
                      CmsKind{"SoftHsmP521", "softhsm", WrapAlgorithm::kAesKeyWrapPad, KeyType::kEc,
                              521, token::OaepHash::kSha1},
                      CmsKind{"NssCbcP521", "nss", WrapAlgorithm::kAesCbcPad, KeyType::kEc, 521,
                              token::OaepHash::kSha256},
                      CmsKind{"SoftHsmRsa4096", "softhsm", WrapAlgorithm::kAesKeyWrapPad,
                              KeyType::kRsa, 4096, token::OaepHash::kSha1},
                      CmsKind{"SoftHsmP256", "softhsm", WrapAlgorithm::kAesKeyWrapPad, KeyType::kEc,
                              256, token::OaepHash::kSha1},
                      CmsKind{"SoftHsmP384", "softhsm", WrapAlgorithm::kAesKeyWrapPad, KeyType::kEc,
                              384, token::OaepHash::kSha1},
                      CmsKind{"NssWrapPadP256", "nss", WrapAlgorithm::kAesKeyWrapPad, KeyType::kEc,
                              256, token::OaepHash::kSha256},
                      CmsKind{"NssCbcRsa2048", "nss", WrapAlgorithm::kAesCbcPad, KeyType::kRsa,
                              2048, token::OaepHash::kSha256},
                      CmsKind{"NssCbcP384", "nss", WrapAlgorithm::kAesCbcPad, KeyType::kEc, 384,
                              token::OaepHash::kSha256}),
    [](const auto& kind) { return std::string(kind.param.name); });

}  // namespace
}  // namespace keybroker::backup::test
