#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/cryptoki/cryptoki.h"

namespace keybroker::test {

// Digest is a SHA-256, or what is signed as if it were one.
using Digest = std::array<uint8_t, 32>;

// Target says which key to sign with, through which PKCS#11 module.
struct Target {
  std::string module;    // path of the shared object
  std::string token;     // token label
  std::string label;     // CKA_LABEL of the key
  bool rsa = false;      // RSA with CKM_RSA_PKCS over a DigestInfo; else EC with CKM_ECDSA
  std::string pin_file;  // empty: no C_Login
  std::string reserved;  // CK_C_INITIALIZE_ARGS.pReserved; empty: NULL
};

// Pkcs11Client is one process's use of a module as a listener makes it: initialised, one session,
// one private key found, signing single-part. Not for threads.
class Pkcs11Client {
 public:
  // Open loads, initialises, logs in where there is a PIN file, and finds the one key.
  static Result<Pkcs11Client> Open(const Target& target);

  // Finalize ends the module's use, so that another client of it can be opened in this process.
  void Finalize() { p11_->C_Finalize(nullptr); }

  // Sign makes one signature over digest (in a DigestInfo for RSA).
  Status Sign(const Digest& digest = {});

  // Read gives an attribute of the key, of at most 64 bytes.
  Result<std::vector<uint8_t>> Read(CK_ATTRIBUTE_TYPE type) const;

  // signature is what the last Sign made: as PKCS#11 gives it (raw r||s for EC).
  const std::vector<uint8_t>& signature() const { return signature_; }

  // GenerateEc makes count P-256 token key pairs labelled PREFIX-0.., for start-up measurements.
  Status GenerateEc(const std::string& prefix, unsigned count);

 private:
  Pkcs11Client() = default;
  Status Load(const Target& target);
  Status OpenSession(const Target& target);
  Status FindKey(const Target& target);

  CK_FUNCTION_LIST* p11_ = nullptr;
  CK_SESSION_HANDLE session_ = 0;
  CK_OBJECT_HANDLE key_ = 0;
  CK_MECHANISM mechanism_{};
  std::vector<uint8_t> data_;
  std::vector<uint8_t> signature_;
};

}  // namespace keybroker::test
