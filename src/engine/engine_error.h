#pragma once

namespace keybroker::engine {

// Reason is why a key could not be had. Each is a reason code of the engine's own library on
// OpenSSL's error queue (ERR_GET_REASON); the numbers are shown to operators and never change.
enum class Reason : int {
  kModuleMissing = 100,       // MODULE_PATH names no file
  kNotAModule = 101,          // the file there is not a PKCS#11 module
  kModuleFailed = 102,        // the module answered a call with an unforeseen CK_RV
  kBrokerAway = 103,          // nothing answers at the listener's socket
  kTokenAway = 104,           // the broker answers, its token is not there
  kKeyNotFound = 105,         // the listener is shown no private key with that CKA_ID
  kListenerRefused = 106,     // the socket or the broker refuses this process
  kMalformedReference = 107,  // not a reference file as docs/reference-file.md defines it
  kOtherSocket = 108,         // this process already uses another listener's socket
  kKeyUnusable = 109,         // the key is there, but OpenSSL cannot be given it
  kInternal = 110,            // out of memory, or an OpenSSL call failed
  kNoSignature = 111,         // a loaded key was not signed with
};

// RegisterErrorStrings makes the library and its reasons known to OpenSSL. Idempotent.
void RegisterErrorStrings();

// ErrorLibrary is the library code in ERR_GET_LIB of our errors.
int ErrorLibrary();

// RaiseAt puts an error on this thread's queue; the text, printf-like, says what is wrong and what
// to do. Always false, so that a failing function can return it.
[[gnu::format(printf, 4, 5)]] bool RaiseAt(const char* file, int line, Reason reason,
                                           const char* format, ...);
#define KB_RAISE(...) ::keybroker::engine::RaiseAt(__FILE_NAME__, __LINE__, __VA_ARGS__)

}  // namespace keybroker::engine
