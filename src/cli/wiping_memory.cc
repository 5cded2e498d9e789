#include "cli/wiping_memory.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>

namespace keybroker::cli {
namespace {

void* Take(size_t size, const char*, int) { return ::malloc(size); }

void GiveBack(void* memory, const char*, int) {
  if (memory == nullptr) return;
  ::explicit_bzero(memory, ::malloc_usable_size(memory));
  ::free(memory);
}

// realloc(3) would leave what was there where it moves.
void* Resize(void* memory, size_t size, const char* file, int line) {
  if (memory == nullptr) return ::malloc(size);
  if (size == 0) {
    GiveBack(memory, file, line);
    return nullptr;
  }
  const size_t before = ::malloc_usable_size(memory);
  if (size <= before) return memory;
  void* larger = ::malloc(size);
  if (larger == nullptr) return nullptr;
  ::memcpy(larger, memory, before);
  GiveBack(memory, file, line);
  return larger;
}

}  // namespace

Status WipeOpenSslMemory() {
  if (CRYPTO_set_mem_functions(Take, Resize, GiveBack) == 1) return {};
  return Fail(Internal("OpenSSL has taken memory already, so that it cannot be told to wipe it"));
}

}  // namespace keybroker::cli
