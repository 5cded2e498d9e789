#pragma once

#include <string>
#include <vector>

#include "cli/key_choice.h"
#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"
#include "keybroker/credential/certificate.h"

namespace keybroker::cli {

// KeyTarget is a key that a reference names.
struct KeyTarget {
  std::string name;
  cryptoki::KeyType type;
  std::string id_hex;  // CKA_ID in lower-case hex
};

// ReferenceFormat says who reads the reference: keybroker's engine, or pkcs11-provider.
enum class ReferenceFormat { kEngine, kProvider };

// ParseReferenceFormat reads "engine" or "provider".
Result<ReferenceFormat> ParseReferenceFormat(const std::string& text);

// kNoChain is the note for a reference without certificates.
inline constexpr char kNoChain[] =
    "no certificate is installed for this key: the file holds the key alone";

// KnownTargets lists the current keys that fit the wish, RSA before EC. It needs neither token nor
// PIN: current.toml lists every key that keybroker made.
std::vector<KeyTarget> KnownTargets(const policy::CurrentKeys& current, const KeyWish& wish);

// InstalledChain is what `certificate install` left for the key; empty when there is none,
// Malformed when the file is not of this key.
Result<std::vector<credential::Certificate>> InstalledChain(const config::Settings& settings,
                                                            const KeyTarget& target);

// ExpiredNotes has a sentence for each certificate of the chain that is not valid any more.
std::vector<std::string> ExpiredNotes(const KeyTarget& target,
                                      const std::vector<credential::Certificate>& chain);

// FormatReference is the reference file's text. socket may be empty, and does not stand in the
// provider's format.
Result<std::string> FormatReference(const KeyTarget& target, const std::string& socket,
                                    ReferenceFormat format,
                                    const std::vector<credential::Certificate>& chain);

}  // namespace keybroker::cli
