#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"
#include "keybroker/token/key_pair.h"
#include "keybroker/token/session.h"

namespace keybroker::token {

// WrapAlgorithm is what a token does to a private key's PKCS#8 under an AES-256 key. A CKM_ number
// does not say it: 0x210A is one algorithm on SoftHSM and another on NSS.
enum class WrapAlgorithm {
  kAesKeyWrapPad,  // RFC 5649, with its own integrity; no parameter
  kAesCbcPad,      // AES-256-CBC with PKCS#7 padding, none; the IV is 16 bytes
};

// WrapAlgorithmName is "aes256-wrap-pad" or "aes256-cbc-pad".
std::string_view WrapAlgorithmName(WrapAlgorithm algorithm);

inline constexpr size_t kKekSize = 32;
inline constexpr size_t kCbcIvSize = 16;

// WrapMechanism is an algorithm and the mechanism by which this token does it.
struct WrapMechanism {
  WrapAlgorithm algorithm;
  CK_MECHANISM_TYPE type;
};

// ProbeWrap finds the mechanisms that wrap and unwrap a known key under a known KEK exactly as
// OpenSSL does (a known-answer test in both directions, with session objects only); the preferred
// algorithm first. Empty: this token wraps by none of them. evidence, when given, gets a line for
// each mechanism tried.
std::vector<WrapMechanism> ProbeWrap(const Session& session,
                                     std::vector<std::string>* evidence = nullptr);

// ProbeUnwrap is the same of the way back alone, which is all that a restore takes: a token may
// let keys in and none out.
std::vector<WrapMechanism> ProbeUnwrap(const Session& session,
                                       std::vector<std::string>* evidence = nullptr);

// Kek is an AES-256 key-encryption key as an object of the session: it can wrap and unwrap, never
// encrypt or decrypt (PKCS#11 attack of Clulow, 2003), and is destroyed with this object; a crash
// leaves nothing on the token. The session must outlive it. Move-only.
class Kek {
 public:
  // Create fails TokenFailed where the token takes no key in the clear (FIPS modes).
  static Result<Kek> Create(const Session& session, const Secret& key);
  // Generate makes one on the token that leaves it only wrapped: CKA_SENSITIVE, CKA_EXTRACTABLE.
  static Result<Kek> Generate(const Session& session);
  // Receive unwraps one that another token generated: wrapped by RSA-OAEP with the CK_MECHANISM's
  // parameter oaep to private_key. It unwraps here, and does no more.
  static Result<Kek> Receive(const Session& session, CK_OBJECT_HANDLE private_key, Bytes oaep,
                             Bytes wrapped);
  Kek(Kek&& other) noexcept;
  Kek& operator=(Kek&&) = delete;
  ~Kek();

  // Wrap is C_WrapKey of a private key; iv only for kAesCbcPad.
  Result<std::vector<uint8_t>> Wrap(const WrapMechanism& how, Bytes iv, CK_OBJECT_HANDLE key) const;

  // Unwrap is C_UnwrapKey with the template of object.
  Result<CK_OBJECT_HANDLE> Unwrap(const WrapMechanism& how, Bytes iv, Bytes wrapped,
                                  const Attributes& object) const;

  CK_OBJECT_HANDLE handle() const { return handle_; }

 private:
  Kek(const Session* session, CK_OBJECT_HANDLE handle) : session_(session), handle_(handle) {}

  const Session* session_;
  CK_OBJECT_HANDLE handle_;
};

// WrappedKey is a wrapped private key and all that is known of it without unwrapping.
struct WrappedKey {
  WrapAlgorithm algorithm = WrapAlgorithm::kAesKeyWrapPad;
  std::vector<uint8_t> iv;  // kAesCbcPad
  std::vector<uint8_t> bytes;
};

// WrapPrivateKey wraps key under kek by the first of mechanisms (or the one of algorithm), and
// proves the result: it is unwrapped again into an object of the session, which signs. TokenFailed
// with what to do when the key is not extractable or the token cannot wrap it.
Result<WrappedKey> WrapPrivateKey(const Session& session, const KeyPair& key, const Secret& kek,
                                  std::optional<WrapAlgorithm> algorithm);

// UnwrapSpec says what becomes of a wrapped key.
struct UnwrapSpec {
  std::string label;
  cryptoki::KeyType type = cryptoki::KeyType::kEc;
  std::vector<uint8_t> spki;  // DER: whose private key it must be
  bool exportable = false;
  bool allowed_mechanisms = false;  // the profile's
};

// KeyUse is what is done with a private key while it is an object of the session.
using KeyUse = std::function<Status(CK_OBJECT_HANDLE private_key)>;

// TryUnwrap unwraps into an object of the session with hardened attributes, signs a random digest,
// verifies it with the public key of spec, uses it if there is a use, destroys the object and
// proves that it is gone. The token's storage is not touched. Where the vendor's module is not to
// be trusted all of that is its word: use is for a signature that another process verifies.
Status TryUnwrap(const Session& session, const WrappedKey& wrapped, const Secret& kek,
                 const UnwrapSpec& spec, const KeyUse& use = {});

// RestoreKey is TryUnwrap, and then the same as objects of the token: public key first, private key
// last, so that a half-made pair is never served. CKA_SENSITIVE, CKA_SIGN only, CKA_EXTRACTABLE as
// asked; what the token set otherwise is set right, or the key is refused. On any failure what was
// made is destroyed again. The session must be read-write.
Result<KeyPair> RestoreKey(const Session& session, const WrappedKey& wrapped, const Secret& kek,
                           const UnwrapSpec& spec);

// Seal says how far a key's CKA_EXTRACTABLE false was proved.
struct Seal {
  bool enforced = false;  // the token refused to wrap the key afterwards
  std::string evidence;   // the calls and the CK_RVs
};

// SealKey sets CKA_EXTRACTABLE false for good, reads it back, and tries to wrap the key under a
// random KEK. Not enforced: the token said false and wrapped it all the same.
Result<Seal> SealKey(const Session& session, const KeyPair& key);

}  // namespace keybroker::token
