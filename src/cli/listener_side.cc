#include "cli/listener_side.h"

#include <openssl/crypto.h>

#include <string>
#include <system_error>
#include <vector>

namespace keybroker::cli {
namespace {

// FirstThere gives the given path, else the first candidate that exists, else the last candidate.
std::filesystem::path FirstThere(const std::filesystem::path& given,
                                 const std::vector<std::filesystem::path>& candidates) {
  if (!given.empty()) return given;
  std::error_code error;
  for (const auto& candidate : candidates) {
    if (std::filesystem::exists(candidate, error)) return candidate;
  }
  return candidates.back();
}

// Directory takes the path out of what OpenSSL says, such as `ENGINESDIR: "/usr/lib/..."`.
std::filesystem::path Directory(int which) {
  const std::string text = OpenSSL_version(which);
  const size_t from = text.find('"');
  const size_t to = text.rfind('"');
  return from == to ? std::string() : text.substr(from + 1, to - from - 1);
}

}  // namespace

ListenerSide FindListenerSide(const std::filesystem::path& module,
                              const std::filesystem::path& engine) {
  std::error_code error;
  const auto beside =
      std::filesystem::read_symlink("/proc/self/exe", error).parent_path().parent_path() / "lib";
  return {FirstThere(module, {beside / "libkeybroker-pkcs11.so", KB_DEFAULT_MODULE_PATH}),
          FirstThere(engine, {beside / "engines-3" / "keybroker.so",
                              Directory(OPENSSL_ENGINES_DIR) / "keybroker.so"})};
}

std::filesystem::path OpenSslProvidersDirectory() { return Directory(OPENSSL_MODULES_DIR); }

}  // namespace keybroker::cli
