#pragma once

#include <filesystem>

#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"

namespace keybroker::cli {

// Invocation is what every command is given: the options that all of them have.
struct Invocation {
  std::filesystem::path config = config::kDefaultConfig;
  bool json = false;

  Result<config::Settings> Settings() const { return config::LoadSettings(config); }
};

}  // namespace keybroker::cli
