#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cli/answer.h"
#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"
#include "keybroker/policy/current_keys.h"
#include "keybroker/token/key_pair.h"

namespace keybroker::cli {

// KeyWish is which key a command means.
struct KeyWish {
  std::string name;
  std::optional<cryptoki::KeyType> type;
  std::string id;  // CKA_ID in lower-case hex; empty: the current one
};

// MakeWish checks what the operator typed: a key name (policy.h), "rsa", "ec" or nothing, and
// hexadecimal digits or nothing. Ed25519 is refused with its reason.
Result<KeyWish> MakeWish(const std::string& name, const std::string& type, const std::string& id);

// ParseType reads "rsa" or "ec"; the error for "ed25519" says why keybroker has none.
Result<cryptoki::KeyType> ParseType(std::string_view text);

// LoadCurrent reads current.toml; a missing file lists nothing. StoreCurrent writes it.
Result<policy::CurrentKeys> LoadCurrent(const config::Settings& settings);
Status StoreCurrent(const config::Settings& settings, const policy::CurrentKeys& current);

// IsCurrent tells whether key is the current one of its name and type (current_keys.h).
bool IsCurrent(const token::KeyList& keys, const policy::CurrentKeys& current,
               const token::KeyPair& key);

// PickKey finds the one key that is meant. NotFound says which keys there are; Malformed asks for a
// type, Conflict for a generation.
Result<const token::KeyPair*> PickKey(const token::KeyList& keys,
                                      const policy::CurrentKeys& current, const KeyWish& wish);

// Describe is "mail.example.test (rsa, id ab01...)".
std::string Describe(const token::KeyPair& key);

// KeyJson is a key as --json shows it, and as the token's process hands it to the parent.
Json KeyJson(const token::KeyPair& key, bool is_current);

}  // namespace keybroker::cli
