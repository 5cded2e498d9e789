#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "engine/token_key.h"
#include "keybroker/credential/reference_format.h"
#include "keybroker/cryptoki/cryptoki.h"

namespace keybroker::engine {

// SignWay is a mechanism and what it takes: a digest for CKM_ECDSA, the message for
// CKM_ECDSA_SHA256.
struct SignWay {
  CK_MECHANISM* mechanism;
  std::span<const uint8_t> data;
};

// Module is the PKCS#11 module of this process, opened by us before libp11 sees it: libp11 prints
// dlopen's errors on stderr, which may be a client's connection (nnrpd), waits for ever when a
// session does not open, and has one error for every cause.
class Module {
 public:
  // Open loads the module from an absolute path, without calling it. False: raised kModuleMissing
  // or kNotAModule. Opening the same path again is free; another path is kNotAModule.
  bool Open(const std::string& path);

  // Initialize calls C_Initialize for the reference's socket; done already is well. False: raised.
  bool Initialize(const credential::Reference& reference);

  // FindKey finds the token and, by CKA_ID, the reference's private key in it. False: raised, with
  // the reason why not.
  bool FindKey(const credential::Reference& reference, TokenKey* key);

  // Sign makes one signature, by the first of ways that the key permits, in a session of its own,
  // which the module opens without asking anyone; so there is nothing to share between threads or
  // to repair after a fork. *size is the room in signature and then the signature's length. False:
  // raised. Any number of threads may be in it once a key was found.
  bool Sign(const TokenKey& key, std::span<const SignWay> ways, unsigned char* signature,
            size_t* size) const;

  const std::string& path() const { return path_; }

  // init_args is what libp11 must pass as pReserved, or nullptr.
  const char* init_args() const { return init_args_.empty() ? nullptr : init_args_.c_str(); }

 private:
  CK_RV CallInitialize() const;
  bool FindSlot(CK_SLOT_ID* slot) const;
  CK_RV SignInit(CK_SESSION_HANDLE session, const TokenKey& key, CK_MECHANISM* mechanism) const;
  CK_RV SignOnce(const TokenKey& key, std::span<const SignWay> ways, unsigned char* signature,
                 size_t* size) const;

  std::string path_;
  std::string socket_;
  std::string init_args_;  // outlives C_Initialize: libp11 passes it again after a fork
  bool initialized_ = false;
  CK_FUNCTION_LIST* functions_ = nullptr;
};

}  // namespace keybroker::engine
