#pragma once

#include <filesystem>

namespace keybroker::cli {

// ListenerSide is where the two libraries are that listeners load: what the operator named, else
// those beside this program (a build tree), else where they are installed. They need not be there.
struct ListenerSide {
  std::filesystem::path module;  // libkeybroker-pkcs11.so
  std::filesystem::path engine;  // OpenSSL's engine keybroker.so
};

// FindListenerSide looks for what is left empty.
ListenerSide FindListenerSide(const std::filesystem::path& module,
                              const std::filesystem::path& engine);

// OpenSslProvidersDirectory is where this OpenSSL looks for providers.
std::filesystem::path OpenSslProvidersDirectory();

}  // namespace keybroker::cli
