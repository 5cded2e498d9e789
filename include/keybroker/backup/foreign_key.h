#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"
#include "keybroker/credential/certificate.h"
#include "keybroker/cryptoki/key_type.h"

namespace keybroker::backup {

// What is accepted of a file that another program made.
inline constexpr size_t kMaxKeyFile = 1 << 20;
inline constexpr uint64_t kMaxKeyFileIterations =
    10'000'000;  // of all its key derivations together
inline constexpr uint64_t kMaxScryptCost = uint64_t{1} << 24;  // N * r * p
inline constexpr size_t kMaxKeyFileSalt = 1024;
inline constexpr size_t kMaxKeyFileCertificates = 64;

enum class KeyFileFormat {
  kPkcs8,        // PrivateKeyInfo, or EncryptedPrivateKeyInfo (RFC 5208), in PEM or DER
  kTraditional,  // RSAPrivateKey (RFC 8017), ECPrivateKey (RFC 5915); encrypted by a DEK-Info
                 // header
  kPkcs12,       // RFC 7292
  kKeyManager,   // the backup file of IIS 4's and Exchange 5.5's Key Manager (docs/import.md)
};

// KeyFileFormatName is the format's word in --json output, such as "key-manager".
std::string_view KeyFileFormatName(KeyFileFormat format);

// KeyFileDefect is why a key was not taken from a file. Its values are exit statuses, with those of
// Defect where the meaning is the same.
enum class KeyFileDefect {
  kNotAKeyFile = 10,
  kTruncated = 11,
  kDamaged = 12,
  kOverCap = 14,
  kPassword = 15,        // wrong password, or damaged; which, nobody can tell
  kUnsupported = 16,     // a kind of key, or of file, that is not taken
  kWeak = 17,            // an RSA key below 2048 bits
  kPasswordWanted = 18,  // the file is encrypted, and no password was given
};

// KeyFileDefectName is the defect's word in --json output.
std::string_view KeyFileDefectName(KeyFileDefect defect);

// KeyFileError is a defect and a sentence about it. The text comes partly from the file.
struct KeyFileError {
  KeyFileDefect defect = KeyFileDefect::kDamaged;
  std::string detail;
};

template <typename T>
using KeyFileResult = Result<T, KeyFileError>;

// ForeignKey is the private key of a file that another program made.
struct ForeignKey {
  KeyFileFormat format = KeyFileFormat::kPkcs8;
  std::string protection;  // how the file was encrypted, for the reader; empty: it was not
  Secret pkcs8;  // PrivateKeyInfo in DER, written anew: two-prime RSA or EC on a named curve
  cryptoki::KeyType type = cryptoki::KeyType::kRsa;
  uint32_t bits = 0;
  std::vector<uint8_t> spki;                   // DER
  std::vector<credential::Certificate> chain;  // of the file: the key's, then its issuers
  std::vector<std::string> notes;              // what the reader should know of the file
};

// ReadKeyFile takes the one private key out of a file, and checks it: RSA of 2048, 3072 or 4096
// bits (fewer only with allow_weak), EC on P-256, P-384 or P-521, its numbers consistent with each
// other. bytes may be hostile. password may be nullptr; kPasswordWanted then says that one is
// needed.
//
// MD5, RC4, RC2, DES and their like, which old files want, are loaded into a library context that
// lives as long as the call: the process's own never has them. What OpenSSL allocates on the way is
// wiped, but locked only as far as the process locks its memory.
KeyFileResult<ForeignKey> ReadKeyFile(token::Bytes bytes, const Secret* password, bool allow_weak);

}  // namespace keybroker::backup
