#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <initializer_list>

namespace keybroker::test {

inline std::filesystem::path FirstThatExists(std::initializer_list<const char*> paths) {
  for (const char* path : paths) {
    if (std::filesystem::exists(path)) return path;
  }
  std::fprintf(stderr, "%s is not installed\n", *paths.begin());
  std::abort();
}

// SoftHsmModule and NssModule name the tokens' PKCS#11 modules on this machine. They abort where
// there is none.
inline std::filesystem::path SoftHsmModule() {
  return FirstThatExists(
      {"/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"});
}
inline std::filesystem::path NssModule() {
  return FirstThatExists(
      {"/usr/lib/x86_64-linux-gnu/libsoftokn3.so", "/usr/lib/x86_64-linux-gnu/nss/libsoftokn3.so"});
}

}  // namespace keybroker::test
