#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "keybroker/backup/defect.h"
#include "keybroker/cryptoki/key_type.h"

namespace keybroker::backup {

// kManifestOid is the attribute that holds the manifest, of the key bag in a PKCS#12 file, signed
// in a CMS file: description (ITU-T X.520 section 6.5.1). GnuTLS 3.7 opens no PKCS#12 file with an
// arc of 128 bits, as one made of a UUID is.
inline constexpr char kManifestOid[] = "2.5.4.13";

// kManifestBegin is how every manifest begins; a description that begins otherwise is somebody
// else's.
inline constexpr std::string_view kManifestBegin = R"({"format":"keybroker-backup")";

inline constexpr int kManifestVersion = 1;
inline constexpr size_t kManifestMaxSize = 65536;

// What a manifest's numbers can sensibly be; a file with others is damaged.
inline constexpr uint64_t kMaxSequence = 1'000'000;
inline constexpr int64_t kMaxCreated = 253402300799;  // the last second of the year 9999

// ManifestBinding is a binding that the key had when it was backed up.
struct ManifestBinding {
  std::string listener;
  std::vector<std::string> mechanisms;  // as written: names of sets or of mechanisms

  bool operator==(const ManifestBinding&) const = default;
};

// ManifestToken is CK_TOKEN_INFO of the token that wrapped the key.
struct ManifestToken {
  std::string label;
  std::string manufacturer;
  std::string model;
  std::string serial;
  std::string firmware;

  bool operator==(const ManifestToken&) const = default;
};

// Manifest says what a backup holds (docs/backup-format.md). It is covered by the file's MAC
// or signature, and readable without the password: until the MAC was checked it is a claim. It
// never grants: what a restored key may do is the lesser of it and the local configuration.
struct Manifest {
  std::string name;  // key name (policy::CheckKeyName)
  cryptoki::KeyType type = cryptoki::KeyType::kEc;
  uint32_t bits = 0;
  std::vector<uint8_t> id;    // CKA_ID
  std::vector<uint8_t> spki;  // DER SubjectPublicKeyInfo
  bool current = false;       // it was the current generation of its name and type
  std::vector<ManifestBinding> bindings;
  ManifestToken token;
  int64_t created = 0;    // seconds since 1970, to kMaxCreated
  uint64_t sequence = 0;  // counts the backups of this key, 1 to kMaxSequence

  bool operator==(const Manifest&) const = default;
};

// FormatManifest writes the one spelling of a manifest: JSON, its fields in the format's order, no
// white space.
std::string FormatManifest(const Manifest& manifest);

// ParseManifest reads exactly what FormatManifest writes; text may be hostile. kNewerVersion when
// only its version is unknown, kDamaged for anything else: a key name or listener name that is
// none, a number beyond sense and text that is not printable are that too.
FileResult<Manifest> ParseManifest(std::string_view text);

}  // namespace keybroker::backup
