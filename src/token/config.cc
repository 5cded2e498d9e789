#include "keybroker/token/config.h"

#include <algorithm>

#include "keybroker/base/file.h"
#include "keybroker/config/toml.h"

namespace keybroker::token {
namespace {

using config::TomlQuote;
using config::TomlSection;

constexpr unsigned kMaxSessions = 64;

void ReadPinSource(const TomlSection& table, const std::filesystem::path& base,
                   TokenConfig* config) {
  if (const auto file = table.OptionalString("pin_file")) {
    config->pin_file = (base / *file).lexically_normal();
  }
  config->pin_credential = table.String("pin_credential", "");
  if (!config->pin_file.empty() && !config->pin_credential.empty()) {
    table.Complain("pin_credential", "give either pin_file or pin_credential, not both");
  }
  if (config->pin_credential.find('/') != std::string::npos) {
    table.Complain("pin_credential", "is the name of a credential, not a path");
  }
}

}  // namespace

Result<TokenConfig> ParseTokenConfig(std::string_view text, std::string_view file) {
  const std::filesystem::path path(file);
  KB_ASSIGN(const config::TomlFile toml, config::TomlFile::Parse(text, file));
  const TomlSection table = toml.root().Table("token");
  TokenConfig config;
  config.name = path.stem().string();
  const std::string module = table.RequiredString("module");
  config.module = module;
  if (!module.empty() && !config.module.is_absolute()) {
    table.Complain("module", "must be an absolute path: the loader would search for it otherwise");
  }
  config.label = table.RequiredString("label");
  config.serial = table.String("serial", "");
  config.profile = table.String("profile", "");
  if (config.profile.find('/') != std::string::npos) {
    table.Complain("profile", "is a profile's name, such as \"softhsm2\", not a path");
  }
  config.init_args = table.String("init_args", "");
  config.environment = table.StringMap("environment");
  ReadPinSource(table, path.parent_path(), &config);
  config.sessions = static_cast<unsigned>(table.Integer("sessions", 4, 1, kMaxSessions));
  KB_TRY(toml.Check());
  KB_TRY(config::CheckName("token", config.name));
  return config;
}

std::string FormatTokenConfig(const TokenConfig& config) {
  std::string text =
      "# A token: which one, through which vendor module, and where its PIN is. No\n"
      "# secret belongs in this file.\n[token]\n";
  const auto line = [&text](std::string_view key, std::string_view value, std::string_view why) {
    if (value.empty()) return;
    text += std::string(key) + " = " + TomlQuote(value) + "  # " + std::string(why) + "\n";
  };
  line("module", config.module.native(), "the vendor's PKCS#11 module");
  line("label", config.label, "CK_TOKEN_INFO.label");
  line("serial", config.serial, "CK_TOKEN_INFO.serialNumber");
  line("profile", config.profile, "measured facts about the token model");
  line("init_args", config.init_args, "CK_C_INITIALIZE_ARGS.pReserved");
  line("pin_file", config.pin_file.native(), "read by the token user only, mode 0600");
  line("pin_credential", config.pin_credential, "a systemd credential");
  text += "sessions = " + std::to_string(config.sessions) + "  # most that sign at once\n";
  if (!config.environment.empty()) text += "\n[token.environment]\n";
  for (const auto& [name, value] : config.environment) {
    text += TomlQuote(name) + " = " + TomlQuote(value) + "\n";
  }
  return text;
}

namespace {

// TokenNames are those that are configured, sorted.
std::vector<std::string> TokenNames(const config::Settings& settings, std::error_code& error) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(settings.tokens_dir, error)) {
    if (entry.path().extension() == ".toml") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Error NoSuchToken(const config::Settings& settings, std::string_view name) {
  std::error_code none;  // a folder that cannot be read lists none
  std::string all;
  for (const std::string& each : TokenNames(settings, none)) {
    all += (all.empty() ? "" : ", ") + each;
  }
  return NotFound("there is no token \"" + std::string(name) +
                  "\": " + settings.TokenFile(name).string() + " does not exist" +
                  (all.empty() ? std::string() : "; those configured are: " + all) +
                  "; make it with: keybroker token add");
}

}  // namespace

Result<TokenConfig> LoadTokenConfig(const config::Settings& settings, std::string_view name) {
  KB_TRY(config::CheckName("token", name));
  const auto file = settings.TokenFile(name);
  auto text = ReadFile(file);
  if (!text && text.error().code == ErrorCode::kNotFound) {
    return Fail(NoSuchToken(settings, name));
  }
  if (!text) return Fail(std::move(text).error());
  return ParseTokenConfig(*text, file.string());
}

Result<std::vector<TokenConfig>> LoadTokenConfigs(const config::Settings& settings) {
  std::error_code error;
  const std::vector<std::string> names = TokenNames(settings, error);
  if (error) {
    return Fail(NotFound("cannot read " + settings.tokens_dir.string() + ": " + error.message()));
  }
  std::vector<TokenConfig> configs;
  for (const std::string& name : names) {
    KB_ASSIGN(TokenConfig config, LoadTokenConfig(settings, name));
    configs.push_back(std::move(config));
  }
  return configs;
}

}  // namespace keybroker::token
