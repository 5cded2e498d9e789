#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/answer.h"
#include "cli/token_identity.h"
#include "keybroker/base/result.h"

namespace keybroker::cli {

// ExternalBackup is what is on record of a key's backup that its token's vendor has means for: a
// clone, a security world, the vendor's own file. keybroker cannot read such a backup; what it can
// know is whether a token that it was brought onto signs as the key does.
struct ExternalBackup {
  int64_t recorded = 0;  // seconds since 1970
  std::string by;        // who recorded it
  std::string note;      // CheckNote's
  std::string from;      // configured name of the token that the key was read from
  TokenIdentity origin;  // that token
  std::string at;        // configured name of the standby token; empty: none was named
  std::vector<uint8_t> spki;
  std::vector<uint8_t> certificate;  // DER, the origin's; empty: it had none
  int64_t drilled = 0;               // the last drill that went well; 0: never
  std::string drilled_on;            // configured name of the token it was held on
  TokenIdentity standby;             // that token
  int64_t failed = 0;                // the last drill, when it failed; 0: it did not
  int64_t origin_lost = 0;           // when key delete took the key from the origin; 0: never
  std::string failure;               // its code (external_drill.h)

  std::string SpkiSha256() const;

  // Proved: a standby token signed as the key, and no drill failed since.
  bool Proved() const { return drilled != 0 && failed == 0; }
};

inline constexpr size_t kMaxNote = 400;  // bytes
// A larger certificate is left out: the public key is what a drill goes by.
inline constexpr size_t kMaxRecordedCertificate = 16384;  // bytes

// CheckNote is wrong usage unless note is one line of 1 to kMaxNote bytes that a person sees for
// what it is (printable.h), not blanks alone.
Status CheckNote(const std::string& note);

// ExternalJson and ParseExternal are its form in the key's backup record. Malformed for what lacks
// the key, the note or the token.
Json ExternalJson(const ExternalBackup& external);
Result<ExternalBackup> ParseExternal(const Json& json);

}  // namespace keybroker::cli
