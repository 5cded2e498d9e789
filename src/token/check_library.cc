#include "keybroker/token/check_library.h"

#include <dlfcn.h>

namespace keybroker::token {

std::string ProblemWithLibrary(const std::filesystem::path& file, const char* symbol) {
  void* const library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* const why = ::dlerror();
    return why == nullptr ? "it cannot be loaded" : why;
  }
  return ::dlsym(library, symbol) == nullptr ? std::string("it has no ") + symbol : std::string();
}

}  // namespace keybroker::token
