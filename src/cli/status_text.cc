#include "cli/status_text.h"

#include <vector>

namespace keybroker::cli {
namespace {

using Rows = std::vector<std::vector<std::string>>;

const Json& List(const Json& status, const char* field) {
  static const Json none = Json::array();
  const auto found = status.find(field);
  return found == status.end() || !found->is_array() ? none : *found;
}

std::string Number(const Json& json, const char* field) {
  return std::to_string(GetNumber(json, field));
}

std::string BrokerLine(const Json& status) {
  const auto broker = status.find("broker");
  if (broker == status.end() || !broker->is_object()) return "broker: not running\n";
  return "broker: running, pid " + Number(*broker, "pid") + ", for " +
         Number(*broker, "uptime_seconds") + " s, version " + GetText(*broker, "version") + "\n";
}

std::string Tokens(const Json& status) {
  Rows rows{{"TOKEN", "STATE", "KEYS", "PID", "LABEL", "SERIAL"}};
  std::string details;
  for (const Json& token : List(status, "tokens")) {
    rows.push_back({GetText(token, "name"), GetText(token, "state"), Number(token, "keys"),
                    Number(token, "pid"), GetText(token, "label"), GetText(token, "serial")});
    const std::string detail = GetText(token, "detail");
    if (!detail.empty()) details += GetText(token, "name") + ": " + detail + "\n";
  }
  if (rows.size() == 1) return "no token is configured: `keybroker token add` adds one\n";
  return Columns(rows) + details;
}

// AreKnown: a token that cannot be read may hold what a listener lacks.
bool AreKnown(const Json& status) {
  for (const Json& token : List(status, "tokens")) {
    if (!GetText(token, "keys_unknown").empty()) return false;
  }
  return true;
}

std::string KeyNames(const Json& listener, bool known) {
  std::string text;
  for (const Json& key : List(listener, "keys")) {
    text += (text.empty() ? "" : ", ") + GetText(key, "name") + " (" + GetText(key, "type") +
            (GetBool(key, "current") ? ")" : ", not current)");
  }
  if (!text.empty()) return text;
  return known || List(listener, "bindings").empty() ? "none" : "unknown";
}

std::string Listeners(const Json& status) {
  Rows rows{{"LISTENER", "CONNECTIONS", "SIGNATURES", "DENIED", "FAILED", "KEYS"}};
  const bool known = AreKnown(status);
  for (const Json& listener : List(status, "listeners")) {
    rows.push_back({GetText(listener, "name"), Number(listener, "connections"),
                    Number(listener, "signatures"), Number(listener, "denied"),
                    Number(listener, "failed"), KeyNames(listener, known)});
  }
  return rows.size() == 1 ? "" : "\n" + Columns(rows);
}

std::string Backups(const Json& status) {
  Rows rows{{"BACKUP OF", "TYPE", "LAST VERIFIED", "LAST DRILLED", "FILE"}};
  const auto text_or = [](const Json& backup, const char* field, const char* none) {
    const std::string text = GetText(backup, field);
    return text.empty() ? none : text;
  };
  const auto last_drilled = [&](const Json& backup) {
    const std::string other = GetText(backup, "other_file_drilled");
    const std::string own = text_or(backup, "drilled", "never");
    return own == "never" && !other.empty() ? "another file " + other : own;
  };
  for (const Json& key : List(status, "without_backup")) {
    rows.push_back({GetText(key, "name"), GetText(key, "type"), "-", "-",
                    "NONE: `keybroker backup check` says what to do"});
  }
  for (const Json& backup : List(status, "backups")) {
    const auto external = backup.find("external");
    const bool has_external = external != backup.end() && external->is_object();
    if (!has_external || !GetText(backup, "file").empty()) {
      rows.push_back({GetText(backup, "name"), GetText(backup, "type"),
                      text_or(backup, "verified", "never"), last_drilled(backup),
                      text_or(backup, "file", "-")});
    }
    if (!has_external) continue;
    const std::string drilled = text_or(*external, "drilled", "never");
    rows.push_back({GetText(backup, "name"), GetText(backup, "type"), "-",
                    drilled + (GetText(*external, "failed").empty() ? "" : ", failed since"),
                    "external: " + GetText(*external, "note")});
  }
  return rows.size() == 1 ? "" : "\n" + Columns(rows);
}

std::string Warnings(const Json& status) {
  std::string text;
  for (const Json& warning : List(status, "warnings")) {
    if (warning.is_string()) text += "warning: " + warning.get<std::string>() + "\n";
  }
  return text.empty() ? "" : "\n" + text;
}

}  // namespace

std::string StatusText(const Json& status) {
  return BrokerLine(status) + Tokens(status) + Listeners(status) + Backups(status) +
         Warnings(status);
}

}  // namespace keybroker::cli
