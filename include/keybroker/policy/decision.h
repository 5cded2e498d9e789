#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "keybroker/cryptoki/cryptoki.h"
#include "keybroker/cryptoki/key_type.h"
#include "keybroker/policy/listener.h"

namespace keybroker::policy {

// Reason is why a request was granted or denied; the closed set that `keybroker why`, the audit log
// and the broker's log repeat.
enum class Reason : uint8_t {
  kGranted,
  kUserNotAllowed,         // the message's uid is not one of the listener's users
  kKeyNotBound,            // no binding of this listener names the key (or there is no such key)
  kMechanismNotBound,      // a binding names the key but not this mechanism
  kMechanismUnknown,       // outside the closed list of signing mechanisms
  kMechanismWrongKeyType,  // the mechanism is of the other key type
  kParametersWrong,  // PSS parameters missing, superfluous, or not in agreement with the digest
  kDataWrong,        // digest of the wrong length, or not a DigestInfo of an allowed hash
  kNotTlsHandshake,  // the binding demands a message of a TLS handshake, and this is none
};

// ReasonName is the reason's word in logs and --json, such as "key-not-bound".
std::string_view ReasonName(Reason reason);

// ReasonRv is the CK_RV that the listener gets for a denial.
CK_RV ReasonRv(Reason reason);

// KeyFacts is what a decision needs to know of a key.
struct KeyFacts {
  std::string_view name;  // key name: CKA_LABEL on the token
  cryptoki::KeyType type;
  uint32_t bits;
};

// PssFacts is CK_RSA_PKCS_PSS_PARAMS as it came in.
struct PssFacts {
  CK_MECHANISM_TYPE hash;
  CK_RSA_PKCS_MGF_TYPE mgf;
  uint32_t salt_length;
};

// SignFacts is one request for a signature.
struct SignFacts {
  CK_MECHANISM_TYPE mechanism;
  std::optional<PssFacts> pss;
  std::span<const uint8_t> data;
};

// PermittedMechanisms is what the bindings let a listener do with a key: sorted, unique, only
// mechanisms of the key's type; empty when the key is not bound and so must not be shown at all.
std::vector<CK_MECHANISM_TYPE> PermittedMechanisms(const Listener& listener, const KeyFacts& key);

// DecideMechanism answers for a (listener, key, mechanism); key is nullptr when there is no such
// key.
Reason DecideMechanism(const Listener& listener, const KeyFacts* key, CK_MECHANISM_TYPE mechanism);

// CheckShape checks parameters and data against the mechanism and key: PSS hash, MGF and salt
// length (equal to the digest's) agree with the data's length; PKCS#1 data is a DigestInfo of an
// allowed hash; ECDSA data is a digest of an allowed hash. Total, no allocation: it runs for every
// signature.
Reason CheckShape(const KeyFacts& key, const SignFacts& request);

// DecideRequest is the whole decision about one request, in the order of docs/policy.md: mechanism,
// shape, and the message where every binding that permits it demands a TLS handshake. key as in
// DecideMechanism. No allocation.
Reason DecideRequest(const Listener& listener, const KeyFacts* key, const SignFacts& request);

// HowToMake is the advice for a key that is nowhere, a part of ExplainNoKey: a reader who knows a
// better way puts that in its place.
std::string HowToMake(std::string_view key_name,
                      std::optional<cryptoki::KeyType> type = std::nullopt);

// ExplainNoKey is the sentence for a name that no token has a key of, bound or not.
std::string ExplainNoKey(const Listener& listener, std::string_view key_name);

// Explain is the sentence for an operator: what was decided, why, and what would change it.
std::string Explain(Reason reason, const Listener& listener, std::string_view key_name,
                    CK_MECHANISM_TYPE mechanism);

}  // namespace keybroker::policy
