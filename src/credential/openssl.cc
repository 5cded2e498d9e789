#include "credential/openssl.h"

#include <openssl/err.h>

namespace keybroker::credential {

std::string OpenSslText() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  std::string text = reason == nullptr ? "OpenSSL gave no reason" : reason;
  ERR_clear_error();
  return text;
}

BioPtr MemoryBio(std::string_view bytes) {
  return BioPtr(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}

}  // namespace keybroker::credential
