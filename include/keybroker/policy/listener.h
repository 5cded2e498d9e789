#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/cryptoki/cryptoki.h"
#include "keybroker/cryptoki/key_type.h"

namespace keybroker::policy {

// Binding permits a listener to sign with the keys of one key name by the listed mechanisms.
struct Binding {
  std::string key;                        // key name: an FQDN
  std::optional<cryptoki::KeyType> type;  // empty: RSA and EC
  std::vector<std::string> mechanisms;    // as written: names of sets or of mechanisms
  std::vector<CK_MECHANISM_TYPE>
      permitted;  // what they expand to: sorted, unique, never CKM_RSA_X_509
};

// Listener is a named service, how its processes are recognised, and what it may do. One TOML file.
struct Listener {
  std::string name;
  std::filesystem::path socket;  // absolute; empty: Settings::ListenerSocket(name)
  std::string owner;             // of the socket; empty: the broker's user
  std::string group;
  mode_t mode = 0660;
  std::vector<std::string> users;  // whose processes may ask, judged on every message; never empty
  std::vector<std::filesystem::path> jails;  // chroots in which the socket appears at the same path
  std::vector<Binding> bindings;
};

// ParseListener reads a listener's file; the file name's stem must be the listener's name. Fails
// Malformed with file, line and the legal values; unknown keys are errors.
Result<Listener> ParseListener(std::string_view text, std::string_view file);

// FormatListener writes what ParseListener reads, comments included, the same bytes every time.
std::string FormatListener(const Listener& listener);

// DemandsTlsHandshake tells whether the binding is of the set "tls-handshake": it permits only what
// a TLS server signs in a handshake (tls_handshake.h), and therefore only mechanisms that hash.
bool DemandsTlsHandshake(const Binding& binding);

// ExpandMechanisms turns set names and CKM_ names into mechanisms: "tls-server" is RSA-PSS, RSA
// PKCS#1 v1.5 over DigestInfo, ECDSA and their hash-and-sign kin; "tls-handshake", which stands
// alone, is the hash-and-sign ones. Malformed lists the legal names.
Result<std::vector<CK_MECHANISM_TYPE>> ExpandMechanisms(const std::vector<std::string>& names);

// CheckKeyName accepts a DNS name in A-labels (RFC 1123, RFC 5890), lower case, at most 253
// characters, optionally with "*." in front; the error says what is wrong with any other.
Status CheckKeyName(std::string_view name);

}  // namespace keybroker::policy
