#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "keybroker/backup/defect.h"
#include "keybroker/backup/manifest.h"
#include "keybroker/base/kdf_floor.h"
#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"
#include "keybroker/credential/certificate.h"
#include "keybroker/token/key_wrap.h"
#include "keybroker/token/recipient_wrap.h"

namespace keybroker::backup {

// FileFormat is what a backup file is.
enum class FileFormat {
  kPkcs12,  // RFC 7292: the key under a password
  kCms,     // RFC 5652: the key for the holders of recovery keys, signed by the key itself
};

// FileFormatName is "pkcs12" or "cms", in options, configuration and --json output.
std::string_view FileFormatName(FileFormat format);

// What a file is written with, and what is accepted of one that is read.
inline constexpr uint32_t kMinIterations = kKdfFloor;      // PBKDF2-HMAC-SHA256, written
inline constexpr uint32_t kMaxIterations = 10'000'000;     // PBKDF2, read
inline constexpr uint32_t kMaxMacIterations = 20'000'000;  // PKCS#12 KDF, read
inline constexpr size_t kSaltSize = 16;                    // written
inline constexpr size_t kMaxSalt = 64;                     // read
inline constexpr size_t kMaxFile = 1 << 20;
inline constexpr size_t kMaxWrappedKey = 16384;  // read; that of an RSA-4096 key has under 2,500
inline constexpr size_t kMaxChain = 16;
inline constexpr size_t kMaxRecipients = 16;

// Kdf is PBKDF2 with HMAC-SHA256 (RFC 8018 section 5.2), which makes the KEK of the password.
struct Kdf {
  std::vector<uint8_t> salt;
  uint32_t iterations = kMinIterations;
};

// NewKdf has a random salt. iterations must be kMinIterations to kMaxIterations.
Result<Kdf> NewKdf(uint32_t iterations);

// DeriveKek gives the AES-256 key of a password's UTF-8 bytes. Whoever has it can unwrap the key.
Result<Secret> DeriveKek(const Secret& password, const Kdf& kdf);

// Recipient is whom a CMS backup is for: who has the private key of a certificate.
struct Recipient {
  std::vector<uint8_t> issuer_serial;  // DER IssuerAndSerialNumber of that certificate
  std::vector<uint8_t> content_key;    // wrapped to its public key by RSA-OAEP
};

// Backup is the content of a backup file, of either format. Its key is the token's own wrap output,
// so that the private key is in the clear nowhere but on the token.
struct Backup {
  FileFormat format = FileFormat::kPkcs12;
  Manifest manifest;
  token::WrappedKey key;  // under DeriveKek(password, kdf), or under the CMS content key
  std::vector<credential::Certificate> chain;  // leaf first; empty: none (kPkcs12 only)

  // kPkcs12
  Kdf kdf;
  uint32_t mac_iterations = 2 * kMinIterations;

  // kCms
  std::vector<Recipient> recipients;
  token::OaepHash oaep = token::OaepHash::kSha1;
  std::vector<uint8_t> signature;  // by the key that is backed up, over CmsSignedAttributes
};

// FormatOf is the format that a file's first bytes and size are of (Defect else); what is in it is
// not looked at.
FileResult<FileFormat> FormatOf(std::string_view bytes);

// FormatBackup writes a PKCS#12 file's bytes (docs/backup-format.md), with a MAC by twice the KDF's
// iterations, because the PKCS#12 MAC is the cheaper guess.
Result<std::string> FormatBackup(const Backup& backup, const Secret& password);

// ReadBackup takes a file apart without the password: what it says is a claim. Nothing is derived.
// bytes may be hostile: strict DER, every count and size under a cap. The manifest must agree with
// friendlyName, localKeyID, its own public key and the first certificate, and each certificate be
// issued by the next. What is accepted here no restore refuses for what it says. A CMS file's
// signature is checked too: whoever made it could sign with its key.
FileResult<Backup> ReadBackup(std::string_view bytes);

// OpenBackup is ReadBackup of a PKCS#12 file, and then the MAC under the password: what it gives is
// what was written.
FileResult<Backup> OpenBackup(std::string_view bytes, const Secret& password);

// FileSha256 is the SHA-256 of a file's bytes in hex: the name by which an operator knows a backup.
std::string FileSha256(std::string_view bytes);

}  // namespace keybroker::backup
