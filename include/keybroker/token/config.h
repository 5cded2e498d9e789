#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"

namespace keybroker::token {

// TokenConfig is tokens.d/NAME.toml: which token, through which vendor module, and where its PIN
// is.
struct TokenConfig {
  std::string name;              // ours; the file's stem
  std::filesystem::path module;  // vendor's PKCS#11 module
  std::string label;             // CK_TOKEN_INFO.label; with serial empty it must be unique
  std::string serial;            // CK_TOKEN_INFO.serialNumber; empty: any
  std::string profile;           // tokens/PROFILE.toml
  std::string init_args;         // CK_C_INITIALIZE_ARGS.pReserved, as NSS needs it; empty: NULL
  std::map<std::string, std::string> environment;  // set before the module is loaded
  std::filesystem::path pin_file;                  // read by the token user only; empty: none
  std::string pin_credential;  // name of a systemd credential; empty: none. Neither: token unlock
  unsigned sessions = 4;       // most sessions that sign at once
};

// ParseTokenConfig reads the text; Malformed names file, line and the legal values.
Result<TokenConfig> ParseTokenConfig(std::string_view text, std::string_view file);
std::string FormatTokenConfig(const TokenConfig& config);

// LoadTokenConfig reads settings.TokenFile(name); LoadTokenConfigs every *.toml in tokens_dir,
// sorted.
Result<TokenConfig> LoadTokenConfig(const config::Settings& settings, std::string_view name);
Result<std::vector<TokenConfig>> LoadTokenConfigs(const config::Settings& settings);

}  // namespace keybroker::token
