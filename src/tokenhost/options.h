#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"

namespace keybroker::tokenhost {

// Options is the command line of keybroker-tokenhost.
struct Options {
  std::filesystem::path config{config::kDefaultConfig};
  std::string token;
  bool check = false;
  bool help = false;
  bool version = false;
};

// ParseOptions reads the arguments after the program's name. Malformed says which one is wrong.
Result<Options> ParseOptions(std::span<const std::string_view> arguments);

// HelpText is what --help prints.
std::string_view HelpText();

}  // namespace keybroker::tokenhost
