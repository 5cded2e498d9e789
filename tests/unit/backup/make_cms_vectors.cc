#include <openssl/pem.h>
#include <openssl/rand.h>

#include <memory>

#include "keybroker/backup/cms.h"
#include "keybroker/token/host_wrap.h"
#include "unit/backup/vector_writer.h"

namespace keybroker::backup::test {
namespace {

using credential::Certificate;
using credential::test::Issue;
using credential::test::TestKey;
using token::OaepHash;
using token::WrapAlgorithm;

// Recovery is who the files are for.
struct Recovery {
  TestKey key = TestKey::Rsa(2048);
  Certificate certificate = Issue({.subject = "Recovery"}, key, nullptr, key);

  // Pem is the key, unencrypted, with the certificate behind it.
  std::string Pem() const {
    const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio(BIO_new(BIO_s_mem()), &BIO_free_all);
    PEM_write_bio_PKCS8PrivateKey(bio.get(), key.pkey(), nullptr, nullptr, 0, nullptr, nullptr);
    PEM_write_bio(bio.get(), PEM_STRING_X509, "", certificate.der.data(),
                  static_cast<long>(certificate.der.size()));
    char* text = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &text);
    return {text, static_cast<size_t>(size)};
  }
};

Secret Random(size_t size) {
  Secret secret = *Secret::Allocate(size);
  RAND_bytes(secret.Buffer().data(), static_cast<int>(size));
  secret.SetSize(size);
  return secret;
}

Backup Whole(const TestKey& key, WrapAlgorithm algorithm, OaepHash hash, const Recovery& recovery) {
  const TestKey ca_key = TestKey::Ec();
  const auto ca = Issue({.subject = "Test CA", .is_ca = true}, ca_key, nullptr, ca_key);
  const Secret content_key = Random(token::kKekSize);
  Backup backup;
  backup.format = FileFormat::kCms;
  backup.manifest = SampleManifest(key);
  backup.chain = {Issue({.dns_names = {"mail.example.test"}}, key, &ca, ca_key), ca};
  backup.key.algorithm = algorithm;
  if (algorithm == WrapAlgorithm::kAesCbcPad) {
    backup.key.iv.resize(token::kCbcIvSize);
    RAND_bytes(backup.key.iv.data(), token::kCbcIvSize);
  }
  backup.key.bytes =
      *token::HostWrap(algorithm, content_key, backup.key.iv, CmsSample::Pkcs8(key).Expose());
  backup.oaep = hash;
  backup.recipients = {{*IssuerAndSerial(recovery.certificate),
                        *token::HostOaepWrap(recovery.key.pkey(), hash, content_key)}};
  return backup;
}

bool WriteGood(VectorWriter& out, const Recovery& recovery) {
  bool good = true;
  const auto add = [&](const std::string& name, const TestKey& key, WrapAlgorithm algorithm,
                       OaepHash hash) {
    good &=
        out.Write(name, CmsFile(Whole(key, algorithm, hash, recovery), key), "good", SpkiHash(key));
  };
  add("rsa-2048.cms", TestKey::Rsa(2048), WrapAlgorithm::kAesKeyWrapPad, OaepHash::kSha1);
  add("rsa-2048-cbc.cms", TestKey::Rsa(2048), WrapAlgorithm::kAesCbcPad, OaepHash::kSha256);
  add("p-256.cms", TestKey::Ec(), WrapAlgorithm::kAesKeyWrapPad, OaepHash::kSha256);
  add("p-256-cbc.cms", TestKey::Ec(), WrapAlgorithm::kAesCbcPad, OaepHash::kSha1);
  add("p-384.cms", TestKey::Ec("P-384"), WrapAlgorithm::kAesKeyWrapPad, OaepHash::kSha256);
  add("p-521.cms", TestKey::Ec("P-521"), WrapAlgorithm::kAesKeyWrapPad, OaepHash::kSha256);
  return good;
}

bool WriteBad(VectorWriter& out, const Recovery& recovery) {
  const TestKey key = TestKey::Ec();
  const auto whole = [&](const Recovery& recipient) {
    return Whole(key, WrapAlgorithm::kAesKeyWrapPad, OaepHash::kSha256, recipient);
  };
  const Backup backup = whole(recovery);
  const std::string file = CmsFile(backup, key);
  const std::string content_key(backup.recipients[0].content_key.begin(),
                                backup.recipients[0].content_key.end());
  bool good = out.Write("truncated.cms", file.substr(0, file.size() - 40), "truncated", "-");
  good &= out.Write("longer.cms", file + "x", "damaged", "-");
  good &= out.Write("changed-manifest.cms",
                    Edit(file, "\"listener\":\"https\"", "\"listener\":\"httpx\""),
                    "signature-wrong", "-");
  good &= out.Write("changed-content-key.cms",
                    Edit(file, content_key, std::string(content_key.size(), 'm')),
                    "signature-wrong", "-");
  good &= out.Write("other-signer.cms", CmsFile(backup, TestKey::Ec()), "signature-wrong", "-");
  good &=
      out.Write("newer.cms", Edit(file, "\"version\":1", "\"version\":2"), "newer-version", "-");
  good &=
      out.Write("other-recipient.cms", CmsFile(whole(Recovery()), key), "no-recipient-fits", "-");
  Backup many = backup;
  many.recipients.assign(kMaxRecipients + 1, backup.recipients[0]);
  good &= out.Write("many-recipients.cms", CmsFile(many, key), "over-cap", "-");
  return good;
}

}  // namespace

bool WriteCmsVectors(VectorWriter& out) {
  const Recovery recovery;
  return out.WriteUnlisted("recovery.pem", recovery.Pem()) && WriteGood(out, recovery) &&
         WriteBad(out, recovery);
}

}  // namespace keybroker::backup::test
