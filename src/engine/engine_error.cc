#include "engine/engine_error.h"

#include <openssl/err.h>

#include <cstdarg>

namespace keybroker::engine {
namespace {

int library = 0;

ERR_STRING_DATA Entry(Reason reason, const char* text) {
  return {ERR_PACK(0, 0, static_cast<int>(reason)), text};
}

// OpenSSL keeps pointers into these tables, hence static. ERR_load_strings writes the library's
// number into the entries and ends at the first whose code is 0: the name needs a table of its own.
ERR_STRING_DATA name[] = {{0, "keybroker engine"}, {0, nullptr}};
ERR_STRING_DATA strings[] = {
    Entry(Reason::kModuleMissing, "PKCS#11 module missing"),
    Entry(Reason::kNotAModule, "not a PKCS#11 module"),
    Entry(Reason::kModuleFailed, "PKCS#11 module failed"),
    Entry(Reason::kBrokerAway, "broker away"),
    Entry(Reason::kTokenAway, "token away"),
    Entry(Reason::kKeyNotFound, "key not found"),
    Entry(Reason::kListenerRefused, "listener refused"),
    Entry(Reason::kMalformedReference, "malformed reference"),
    Entry(Reason::kOtherSocket, "another listener's socket is in use"),
    Entry(Reason::kKeyUnusable, "key unusable"),
    Entry(Reason::kInternal, "internal error"),
    Entry(Reason::kNoSignature, "no signature"),
    {0, nullptr},
};

}  // namespace

void RegisterErrorStrings() {
  if (library != 0) return;
  library = ERR_get_next_error_library();
  ERR_load_strings(library, strings);
  name[0].error = ERR_PACK(library, 0, 0);
  ERR_load_strings_const(name);
}

int ErrorLibrary() { return library; }

bool RaiseAt(const char* file, int line, Reason reason, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  ERR_new();
  ERR_set_debug(file, line, nullptr);
  ERR_vset_error(library, static_cast<int>(reason), format, arguments);
  va_end(arguments);
  return false;
}

}  // namespace keybroker::engine
