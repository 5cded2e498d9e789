#include "backup/cms/encode.h"

#include <openssl/evp.h>

#include "backup/cms/der_text.h"
#include "backup/cms/names.h"
#include "backup/foreign/der.h"

namespace keybroker::backup {
namespace {

using namespace std::string_literals;
using cryptoki::Digest;

const std::string kDerNullElement = "\x05\x00"s;

std::string Join(std::initializer_list<std::string_view> parts) {
  std::string out;
  for (const std::string_view part : parts) out += part;
  return out;
}

std::string Sequence(std::initializer_list<std::string_view> parts) {
  return Der(kDerSequence, Join(parts));
}

std::string Number(char value) { return Der(kDerInteger, std::string(1, value)); }

Result<std::string> Hash(Digest digest, std::string_view bytes) {
  const EVP_MD* md = digest == Digest::kSha256   ? EVP_sha256()
                     : digest == Digest::kSha384 ? EVP_sha384()
                                                 : EVP_sha512();
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<uint8_t*>(out.data()), &size, md,
                 nullptr) != 1) {
    return Fail(Internal("hashing failed"));
  }
  out.resize(size);
  return out;
}

// DigestAlgorithm has no parameters (RFC 5754 section 2).
std::string DigestAlgorithm(Digest digest) {
  return Sequence({digest == Digest::kSha256   ? oid::kSha256
                   : digest == Digest::kSha384 ? oid::kSha384
                                               : oid::kSha512});
}

std::string SignatureAlgorithm(const credential::PublicKey& key) {
  if (key.type == cryptoki::KeyType::kRsa) return Sequence({oid::kRsaEncryption, kDerNullElement});
  const Digest digest = credential::DigestFor(key);
  return Sequence({digest == Digest::kSha256   ? oid::kEcdsaSha256
                   : digest == Digest::kSha384 ? oid::kEcdsaSha384
                                               : oid::kEcdsaSha512});
}

std::string ContentEncryption(const token::WrappedKey& key) {
  if (key.algorithm == token::WrapAlgorithm::kAesKeyWrapPad) return Sequence({oid::kAes256WrapPad});
  return Sequence({oid::kAes256Cbc, Der(kDerOctetString, TextOf(key.iv))});
}

// KeyTrans is KeyTransRecipientInfo (RFC 5652 section 6.2.1).
std::string KeyTrans(const Recipient& recipient, token::OaepHash hash) {
  return Sequence({Number(0), TextOf(recipient.issuer_serial), OaepAlgorithm(hash),
                   Der(kDerOctetString, TextOf(recipient.content_key))});
}

// Enveloped is a ContentInfo of EnvelopedData (RFC 5652 section 6.1).
std::string Enveloped(const Backup& backup) {
  std::vector<std::string> recipients;
  for (const Recipient& each : backup.recipients) recipients.push_back(KeyTrans(each, backup.oaep));
  const std::string data =
      Sequence({Number(0), DerSetOf(kDerSet, std::move(recipients)),
                Sequence({oid::kData, ContentEncryption(backup.key),
                          Der(kDerContext0Primitive, TextOf(backup.key.bytes))})});
  return Sequence({oid::kEnvelopedData, Der(kDerContext0, data)});
}

std::string Attribute(std::string_view type, std::string_view value) {
  return Sequence({type, Der(kDerSet, value)});
}

// SigningCertificates is SigningCertificateV2 (RFC 5035 section 3): the SHA-256 of each certificate
// of the chain, which the signature would not cover otherwise.
Result<std::string> SigningCertificates(const std::vector<credential::Certificate>& chain) {
  std::string hashes;
  for (const auto& certificate : chain) {
    KB_ASSIGN(const std::string hash, Hash(Digest::kSha256, TextOf(certificate.der)));
    hashes += Sequence({Der(kDerOctetString, hash)});
  }
  return Sequence({Sequence({hashes})});
}

Result<std::string> SignedAttributes(const Backup& backup, uint8_t tag) {
  const Digest digest = credential::DigestFor(KeyOf(backup.manifest));
  KB_ASSIGN(const std::string hash, Hash(digest, Enveloped(backup)));
  KB_ASSIGN(const std::string certificates, SigningCertificates(backup.chain));
  return DerSetOf(
      tag, {Attribute(oid::kContentType, oid::kData),
            Attribute(oid::kMessageDigest, Der(kDerOctetString, hash)),
            Attribute(oid::kSigningCertificateV2, certificates),
            Attribute(oid::kDescription, Der(kDerUtf8String, FormatManifest(backup.manifest)))});
}

}  // namespace

std::string OaepAlgorithm(token::OaepHash hash) {
  // SHA-1 is the default of each parameter, and a default is left out.
  if (hash == token::OaepHash::kSha1) return Sequence({oid::kRsaesOaep, Sequence({})});
  const std::string sha256 = Sequence({oid::kSha256, kDerNullElement});
  return Sequence({oid::kRsaesOaep, Sequence({Der(kDerContext0, sha256),
                                              Der(kDerContext1, Sequence({oid::kMgf1, sha256}))})});
}

Result<std::string> CmsSignedAttributes(const Backup& backup) {
  return SignedAttributes(backup, kDerSet);
}

Result<std::string> EncodeSigned(const Backup& backup) {
  if (backup.chain.empty()) return Fail(Malformed("the key has no certificate"));
  KB_ASSIGN(const auto signer, IssuerAndSerial(backup.chain.front()));
  KB_ASSIGN(const std::string attributes, SignedAttributes(backup, kDerContext0));
  const auto key = KeyOf(backup.manifest);
  const std::string digest = DigestAlgorithm(credential::DigestFor(key));
  const std::string signer_info =
      Sequence({Number(1), TextOf(signer), digest, attributes, SignatureAlgorithm(key),
                Der(kDerOctetString, TextOf(backup.signature))});
  std::vector<std::string> certificates;
  for (const auto& each : backup.chain) certificates.emplace_back(TextOf(each.der));
  const std::string content = Der(kDerOctetString, Enveloped(backup));
  const std::string data =
      Sequence({Number(1), Der(kDerSet, digest), Sequence({oid::kData, Der(kDerContext0, content)}),
                DerSetOf(kDerContext0, std::move(certificates)), Der(kDerSet, signer_info)});
  return Sequence({oid::kSignedData, Der(kDerContext0, data)});
}

}  // namespace keybroker::backup
