#include "keybroker/token/profile.h"

#include <system_error>

#include "keybroker/base/file.h"
#include "keybroker/config/toml.h"

namespace keybroker::token {
namespace {

std::string Flag(std::string_view key, bool value) {
  return std::string(key) + (value ? " = true\n" : " = false\n");
}

std::string List(std::string_view key, const std::vector<std::string>& values) {
  std::string text = std::string(key) + " = [";
  for (size_t i = 0; i < values.size(); ++i) {
    text += (i == 0 ? "" : ", ") + config::TomlQuote(values[i]);
  }
  return text + "]\n";
}

}  // namespace

Result<Profile> ParseProfile(std::string_view text, std::string_view file) {
  KB_ASSIGN(const config::TomlFile toml, config::TomlFile::Parse(text, file));
  const config::TomlSection table = toml.root().Table("profile");
  Profile profile;
  profile.name = std::filesystem::path(file).stem().string();
  profile.model = table.String("model", "");
  profile.hang_limit = std::chrono::milliseconds(
      table.Integer("hang_limit_ms", profile.hang_limit.count(), 100, 600000));
  profile.allowed_mechanisms = table.Bool("allowed_mechanisms", profile.allowed_mechanisms);
  profile.public_key_info = table.Bool("public_key_info", profile.public_key_info);
  profile.several_processes = table.Bool("several_processes", profile.several_processes);
  profile.id_at_generation = table.Bool("id_at_generation", profile.id_at_generation);
  profile.hash_and_sign = table.Bool("hash_and_sign", profile.hash_and_sign);
  for (const int64_t bits : table.Integers("rsa_bits")) {
    if (bits < 1024 || bits > 16384) table.Complain("rsa_bits", "is 1024 to 16384");
    profile.rsa_bits.push_back(static_cast<unsigned>(bits));
  }
  profile.ec_curves = table.Strings("ec_curves");
  profile.wrap = table.Strings("wrap");
  KB_TRY(toml.Check());
  return profile;
}

std::string FormatProfile(const Profile& profile) {
  std::string text = "[profile]\nmodel = " + config::TomlQuote(profile.model) + "\n";
  text += "hang_limit_ms = " + std::to_string(profile.hang_limit.count()) + "\n";
  text += Flag("allowed_mechanisms", profile.allowed_mechanisms);
  text += Flag("public_key_info", profile.public_key_info);
  text += Flag("several_processes", profile.several_processes);
  text += Flag("id_at_generation", profile.id_at_generation);
  text += Flag("hash_and_sign", profile.hash_and_sign);
  text += "rsa_bits = [";
  for (size_t i = 0; i < profile.rsa_bits.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(profile.rsa_bits[i]);
  }
  text += "]\n" + List("ec_curves", profile.ec_curves);
  return text + List("wrap", profile.wrap);
}

Result<Profile> LoadProfile(const std::filesystem::path& directory, std::string_view name) {
  if (name.empty()) return Profile{};
  const auto file = directory / (std::string(name) + ".toml");
  const auto text = ReadFile(file);
  std::error_code error;
  if (!text && !std::filesystem::is_directory(directory, error)) {
    return Fail(NotFound("profiles_dir " + directory.string() +
                         " is not a directory, so there is no token profile \"" +
                         std::string(name) +
                         "\": correct profiles_dir in [paths] of keybroker.toml (the profiles come "
                         "with keybroker, in its folder tokens/)"));
  }
  if (!text && text.error().code == ErrorCode::kNotFound) {
    return Fail(NotFound("there is no token profile " + file.string() +
                         "; correct \"profile\" in the token's file, or measure one: keybroker "
                         "token probe NAME -o FILE"));
  }
  if (!text) return Fail(text.error());
  return ParseProfile(*text, file.string());
}

}  // namespace keybroker::token
