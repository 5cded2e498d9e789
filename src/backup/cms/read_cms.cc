#include "backup/cms/read_cms.h"

#include <algorithm>

#include "backup/check_identity.h"
#include "backup/cms/der_text.h"
#include "backup/cms/encode.h"
#include "backup/cms/names.h"
#include "backup/cms/parts.h"
#include "backup/foreign/der.h"
#include "keybroker/base/hex.h"

namespace keybroker::backup {
namespace {

// An RSA-2048 to RSA-4096 key wraps to that many bytes.
constexpr size_t kLeastWrapped = 256;
constexpr size_t kMostWrapped = 512;

std::vector<uint8_t> Copy(token::Bytes bytes) { return {bytes.begin(), bytes.end()}; }

// ReadChain puts the certificates in the order of their signed hashes.
FileResult<void> ReadChain(const CmsParts& parts, Backup* backup) {
  if (parts.certificates.size() > kMaxChain ||
      parts.certificate_hashes.size() != parts.certificates.size()) {
    return OddFile("its certificates are not those that its key signed for");
  }
  for (const token::Bytes hash : parts.certificate_hashes) {
    const auto found =
        std::find_if(parts.certificates.begin(), parts.certificates.end(),
                     [&](token::Bytes der) { return FileSha256(TextOf(der)) == Hex(hash); });
    if (found == parts.certificates.end()) {
      return OddFile("its certificates are not those that its key signed for");
    }
    auto certificate = credential::ParseCertificate(*found);
    if (!certificate) return OddFile("a certificate does not parse");
    backup->chain.push_back(std::move(*certificate));
  }
  return {};
}

FileResult<void> ReadRecipients(const CmsParts& parts, Backup* backup) {
  DerReader list(parts.recipients);
  while (!list.AtEnd()) {
    const auto info = list.NextOf(kDerSequence);
    DerReader fields(info ? info->contents : token::Bytes());
    const auto version = fields.NextOf(kDerInteger);
    const auto issuer = fields.NextOf(kDerSequence);
    const auto algorithm = fields.NextOf(kDerSequence);
    const auto key = fields.NextOf(kDerOctetString);
    if (!version || !issuer || !algorithm || !key || key->contents.size() < kLeastWrapped ||
        key->contents.size() > kMostWrapped) {
      return OddFile("a recipient is not as the format says");
    }
    if (backup->recipients.size() == kMaxRecipients) {
      return FailFile(Defect::kOverCap, "it has more recipients than keybroker writes");
    }
    const bool sha256 = TextOf(algorithm->whole) == OaepAlgorithm(token::OaepHash::kSha256);
    backup->oaep = sha256 ? token::OaepHash::kSha256 : token::OaepHash::kSha1;
    backup->recipients.push_back({Copy(issuer->whole), Copy(key->contents)});
  }
  if (backup->recipients.empty()) return OddFile("it has no recipient");
  return {};
}

FileResult<void> ReadWrapped(const CmsParts& parts, token::WrappedKey* key) {
  DerReader fields(parts.encryption);
  const auto name = fields.NextOf(kDerOid);
  const bool cbc = name && TextOf(name->whole) == oid::kAes256Cbc;
  const auto iv = cbc ? fields.NextOf(kDerOctetString) : std::nullopt;
  const size_t block = cbc ? token::kCbcIvSize : 8;
  if ((cbc && (!iv || iv->contents.size() != token::kCbcIvSize)) || parts.wrapped.size() < 16 ||
      parts.wrapped.size() % block != 0) {
    return OddFile("the wrapped key fits no encryption of the format");
  }
  key->algorithm = cbc ? token::WrapAlgorithm::kAesCbcPad : token::WrapAlgorithm::kAesKeyWrapPad;
  if (cbc) key->iv = Copy(iv->contents);
  key->bytes = Copy(parts.wrapped);
  return {};
}

// CheckSignature comes last: only what is of the one spelling is worth it.
FileResult<void> CheckSignature(std::string_view bytes, const Backup& backup) {
  const auto again = EncodeSigned(backup);
  const auto attributes = CmsSignedAttributes(backup);
  const auto key = KeyOf(backup.manifest);
  const bool fits =
      again && attributes && credential::VerifyMessage(key, BytesOf(*attributes), backup.signature);
  // The attributes are those that follow from what was found, so a change of any of it shows here.
  if (!fits) {
    return FailFile(Defect::kSignature,
                    "its signature does not fit: it was changed after the key had signed it, or "
                    "is not signed by the key that it is the backup of");
  }
  if (*again != bytes) return OddFile("it is not encoded as the format says");
  return {};
}

FileResult<Backup> ReadFound(std::string_view bytes, const CmsParts& parts) {
  Backup backup;
  backup.format = FileFormat::kCms;
  auto manifest = ParseManifest(parts.manifest);
  if (!manifest) return tl::unexpected(manifest.error());
  backup.manifest = std::move(*manifest);
  backup.signature = Copy(parts.signature);
  FileResult<void> read = ReadChain(parts, &backup);
  if (read) read = ReadRecipients(parts, &backup);
  if (read) read = ReadWrapped(parts, &backup.key);
  if (read && backup.chain.empty()) read = OddFile("it has no certificate");
  if (read) read = CheckIdentity(backup);
  if (read) read = CheckSignature(bytes, backup);
  if (!read) return tl::unexpected(read.error());
  return backup;
}

}  // namespace

FileResult<Backup> ReadCms(std::string_view bytes) {
  if (bytes.find(kManifestBegin) == std::string_view::npos) {
    return FailFile(
        Defect::kNotABackup,
        "it is a CMS file, but not one that keybroker wrote, or a damaged one: it has no manifest");
  }
  const auto parts = TakeApart(bytes);
  if (!parts) return OddFile("its CMS structure does not parse");
  return ReadFound(bytes, *parts);
}

Result<std::string> FormatCms(const Backup& backup) {
  KB_ASSIGN(std::string bytes, EncodeSigned(backup));
  const auto back = ReadBackup(bytes);
  if (back) return bytes;
  return Fail(Malformed("the backup would not be read again: " + back.error().detail));
}

}  // namespace keybroker::backup
