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

namespace keybroker::backup {

// What a file is written with, and what is accepted of one that is read.
inline constexpr uint32_t kMinIterations = kKdfFloor;      // PBKDF2-HMAC-SHA256, written
inline constexpr uint32_t kMaxIterations = 10'000'000;     // PBKDF2, read
inline constexpr uint32_t kMaxMacIterations = 20'000'000;  // PKCS#12 KDF, read
inline constexpr size_t kSaltSize = 16;                    // written
inline constexpr size_t kMaxSalt = 64;                     // read
inline constexpr size_t kMaxFile = 1 << 20;
inline constexpr size_t kMaxChain = 16;

// Kdf is PBKDF2 with HMAC-SHA256 (RFC 8018 section 5.2), which makes the KEK of the password.
struct Kdf {
  std::vector<uint8_t> salt;
  uint32_t iterations = kMinIterations;
};

// NewKdf has a random salt. iterations must be kMinIterations to kMaxIterations.
Result<Kdf> NewKdf(uint32_t iterations);

// DeriveKek gives the AES-256 key of a password's UTF-8 bytes. Whoever has it can unwrap the key.
Result<Secret> DeriveKek(const Secret& password, const Kdf& kdf);

// Backup is the content of a backup file: a PKCS#12 file (RFC 7292) whose shrouded key bag is the
// token's own wrap output, so that the private key is in the clear nowhere but on the token.
struct Backup {
  Manifest manifest;
  token::WrappedKey key;  // wrapped under DeriveKek(password, kdf)
  Kdf kdf;
  uint32_t mac_iterations = 2 * kMinIterations;
  std::vector<credential::Certificate> chain;  // leaf first; empty: none
};

// FormatBackup writes the file's bytes (docs/backup-format.md), with a MAC by twice the KDF's
// iterations, because the PKCS#12 MAC is the cheaper guess.
Result<std::string> FormatBackup(const Backup& backup, const Secret& password);

// ReadBackup takes a file apart without the password: what it says is a claim. Nothing is derived.
// bytes may be hostile: strict DER, every count and size under a cap. The manifest must agree with
// friendlyName, localKeyID, its own public key and the first certificate, and each certificate be
// issued by the next. What is accepted here no restore refuses for what it says.
FileResult<Backup> ReadBackup(std::string_view bytes);

// OpenBackup is ReadBackup, and then the MAC under the password: what it gives is what was written.
FileResult<Backup> OpenBackup(std::string_view bytes, const Secret& password);

// FileSha256 is the SHA-256 of a file's bytes in hex: the name by which an operator knows a backup.
std::string FileSha256(std::string_view bytes);

}  // namespace keybroker::backup
