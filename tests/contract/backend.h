#pragma once

#include <memory>
#include <string>
#include <vector>

#include "keybroker/cryptoki/cryptoki.h"
#include "keybroker/cryptoki/key_type.h"

namespace keybroker::contract {

inline constexpr char kKeyName[] = "mail.example.test";

// ExpectedKey is a key that the backend must show, and nothing else.
struct ExpectedKey {
  cryptoki::KeyType type;
  uint32_t bits;
  std::vector<uint8_t> id;    // CKA_ID
  std::vector<uint8_t> spki;  // DER SubjectPublicKeyInfo
};

// Backend is one way to two keys, RSA-2048 and P-256, of kKeyName: a token itself, or the token
// behind broker and module. The suite must not see a difference.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual const CK_FUNCTION_LIST& api() const = 0;  // initialised; the keys are visible
  virtual CK_SLOT_ID slot() const = 0;
  virtual std::vector<ExpectedKey> keys() const = 0;  // RSA first
};

// The backends. Each makes a token of its own, and takes it away again.
std::unique_ptr<Backend> MakeSoftHsmBackend();
std::unique_ptr<Backend> MakeNssBackend();
std::unique_ptr<Backend> MakeBrokerBackend();       // SoftHSM behind tokenhost, broker and module
std::unique_ptr<Backend> MakeBrokerOnNssBackend();  // NSS softoken behind them

// Shared gives the backend that make makes, the same one to all tests of a process that follow each
// other on it: a whole stack for every test was most of the suite's time. The last one is gone
// before main returns.
Backend& Shared(std::unique_ptr<Backend> (*make)());

}  // namespace keybroker::contract
