#include "cli/pin_file.h"

#include "cli/diagnosis.h"

namespace keybroker::cli {

std::string ProblemWithPinFile(const config::Settings& settings, const token::TokenConfig& config) {
  if (config.pin_file.empty()) return {};
  return ProblemWith({config.pin_file, settings.token_user, true,
                      "write the PIN there (mode 0600, owner " + settings.token_user + ")"});
}

}  // namespace keybroker::cli
