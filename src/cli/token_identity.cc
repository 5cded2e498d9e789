#include "cli/token_identity.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "keybroker/base/printable.h"

namespace keybroker::cli {
namespace {

std::string Canonical(const std::filesystem::path& path) {
  std::error_code error;
  const auto canonical = std::filesystem::weakly_canonical(path, error);
  return error ? path.string() : canonical.string();
}

// NssDatabase is the folder of configdir in NSS's parameters; empty: there is none.
std::string NssDatabase(const std::string& init_args) {
  constexpr std::string_view kName = "configdir=";
  const size_t at = init_args.find(kName);
  if (at == std::string::npos) return {};
  std::string value = init_args.substr(at + kName.size());
  const char quote = value.empty() ? ' ' : value.front();
  const bool quoted = quote == '\'' || quote == '"';
  if (quoted) value.erase(0, 1);
  value.resize(std::min(value.size(), value.find(quoted ? quote : ' ')));
  for (const std::string_view kind : {"sql:", "dbm:"}) {
    if (value.starts_with(kind)) value.erase(0, kind.size());
  }
  return value;
}

std::string PlaceOf(const token::TokenConfig& config) {
  const std::string database = NssDatabase(config.init_args);
  if (!database.empty()) return "database " + Canonical(database);
  std::string place = Canonical(config.module) + " " + config.init_args;
  for (const auto& [name, value] : config.environment) {
    place.append(" ").append(name).append("=").append(value);
  }
  return place;
}

bool SaysNothing(const std::string& serial) {
  return serial.find_first_not_of("0 ") == std::string::npos;
}

}  // namespace

TokenIdentity IdentityOf(const token::TokenInfo& info, const token::TokenConfig& config) {
  return {info.serial, info.manufacturer + " " + info.model, info.label, PlaceOf(config)};
}

bool SameToken(const TokenIdentity& a, const TokenIdentity& b) {
  if (a.model != b.model || a.serial != b.serial) return false;
  return !SaysNothing(a.serial) || a.place == b.place;
}

Json IdentityJson(const TokenIdentity& identity) {
  return {{"serial", identity.serial},
          {"model", identity.model},
          {"label", identity.label},
          {"place", identity.place}};
}

std::optional<TokenIdentity> ParseIdentity(const Json& json) {
  TokenIdentity identity{GetText(json, "serial"), GetText(json, "model"), GetText(json, "label"),
                         GetText(json, "place")};
  if (identity.model.empty()) return std::nullopt;
  return identity;
}

std::string TokenText(const std::string& name, const TokenIdentity& identity) {
  return "\"" + name + "\" (" + EscapeUnprintable(identity.model) + ", serial " +
         EscapeUnprintable(identity.serial) + ")";
}

}  // namespace keybroker::cli
