#include "keybroker/token/pin_source.h"

#include <stdlib.h>

#include "keybroker/base/secret_file.h"

namespace keybroker::token {

Result<std::optional<Secret>> ReadPin(const TokenConfig& config) {
  std::filesystem::path file = config.pin_file;
  if (!config.pin_credential.empty()) {
    const char* directory = ::getenv("CREDENTIALS_DIRECTORY");
    if (directory == nullptr) {
      return Fail(
          NotFound("pin_credential is set, but the service manager passed no credentials; "
                   "add LoadCredential= to the unit, or use pin_file"));
    }
    file = std::filesystem::path(directory) / config.pin_credential;
  }
  if (file.empty()) return std::optional<Secret>();
  KB_ASSIGN(Secret pin, ReadSecretFile(file));
  return std::optional<Secret>(std::move(pin));
}

}  // namespace keybroker::token
