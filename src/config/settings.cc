#include "keybroker/config/settings.h"

#include <algorithm>

#include "keybroker/base/file.h"
#include "keybroker/base/kdf_floor.h"
#include "keybroker/config/toml.h"

namespace keybroker::config {
namespace {

namespace fs = std::filesystem;

// A socket's path has at most 107 bytes (unix(7)); this much of it may be the directory, so that
// every legal name fits behind it: "/tokens/" + 32 + ".socket".
constexpr size_t kMaxRuntimeDir = 60;

constexpr size_t kMaxRecipients = 16;  // of a CMS backup (backup::kMaxRecipients)

// PathIn reads a path and makes it absolute: relative ones start at the file's own directory.
fs::path PathIn(const TomlSection& section, std::string_view key, const fs::path& fallback,
                const fs::path& base) {
  const std::string text = section.String(key, fallback.native());
  if (text.empty()) section.Complain(key, "must not be empty");
  return (base / text).lexically_normal();
}

void ReadPaths(const TomlSection& paths, const fs::path& base, Settings* settings) {
  for (const auto& [key, path] : {std::pair{"runtime_dir", &settings->runtime_dir},
                                  {"state_dir", &settings->state_dir},
                                  {"listeners_dir", &settings->listeners_dir},
                                  {"tokens_dir", &settings->tokens_dir},
                                  {"current_file", &settings->current_file},
                                  {"profiles_dir", &settings->profiles_dir}}) {
    *path = PathIn(paths, key, *path, base);
  }
  if (settings->runtime_dir.native().size() > kMaxRuntimeDir) {
    paths.Complain("runtime_dir",
                   "must have at most " + std::to_string(kMaxRuntimeDir) +
                       " characters, because the paths of the sockets in it are limited to 107");
  }
}

std::string RequiredUser(const TomlSection& users, std::string_view key,
                         const std::string& fallback) {
  std::string name = users.String(key, fallback);
  if (name.empty()) users.Complain(key, "must not be empty");
  return name;
}

unsigned Count(const TomlSection& section, std::string_view key, unsigned fallback, unsigned min,
               unsigned max) {
  return static_cast<unsigned>(section.Integer(key, fallback, min, max));
}

std::chrono::milliseconds Milliseconds(const TomlSection& section, std::string_view key,
                                       std::chrono::milliseconds fallback, int64_t min,
                                       int64_t max) {
  return std::chrono::milliseconds(section.Integer(key, fallback.count(), min, max));
}

void ReadBroker(const TomlSection& broker, Settings* settings) {
  settings->workers = Count(broker, "workers", settings->workers, 1, 64);
  settings->max_connections = Count(broker, "max_connections", settings->max_connections, 1, 65536);
  settings->request_deadline =
      Milliseconds(broker, "request_deadline_ms", settings->request_deadline, 100, 300000);
  settings->unavailable_budget =
      Milliseconds(broker, "unavailable_budget_ms", settings->unavailable_budget, 0, 60000);
}

void ReadAudit(const TomlSection& audit, Settings* settings) {
  const bool each = audit.Choice("signatures", "each", {"each", "per-second"}) == "each";
  settings->signatures = each ? SignatureAudit::kEach : SignatureAudit::kPerSecond;
  const bool refuse = audit.Choice("on_failure", "refuse", {"refuse", "continue"}) == "refuse";
  settings->on_failure = refuse ? AuditFailure::kRefuse : AuditFailure::kContinue;
  settings->rotate_mib = static_cast<uint64_t>(audit.Integer("rotate_mib", 256, 0, 1000));
}

void ReadFormats(const TomlSection& backup, Settings* settings) {
  if (!backup.Has("formats")) return;
  settings->backup_formats = backup.Strings("formats");
  const auto& formats = settings->backup_formats;
  bool legal = !formats.empty();
  for (const std::string& each : formats) {
    legal = legal && (each == "pkcs12" || each == "cms") &&
            std::count(formats.begin(), formats.end(), each) == 1;
  }
  if (!legal) backup.Complain("formats", R"(must be a list of "pkcs12", "cms" or both)");
}

void ReadRecipients(const TomlSection& backup, const fs::path& base, Settings* settings) {
  const auto files = backup.Strings("recipients");
  if (files.size() > kMaxRecipients) {
    backup.Complain("recipients", "must be at most " + std::to_string(kMaxRecipients) + " files");
  }
  for (const std::string& each : files) {
    if (each.empty()) backup.Complain("recipients", "must not be empty");
    settings->backup_recipients.push_back((base / each).lexically_normal());
  }
}

void ReadBackup(const TomlSection& backup, const fs::path& base, Settings* settings) {
  ReadFormats(backup, settings);
  ReadRecipients(backup, base, settings);
  settings->backup_iterations =
      Count(backup, "iterations", settings->backup_iterations, kKdfFloor, 10000000);
  settings->backup_password_length =
      Count(backup, "password_length", settings->backup_password_length, 15, 200);
  settings->backup_restore_exportable =
      backup.Bool("restore_exportable", settings->backup_restore_exportable);
  settings->backup_days = Count(backup, "backup_days", settings->backup_days, 1, 36500);
  settings->drill_days = Count(backup, "drill_days", settings->drill_days, 1, 36500);
}

}  // namespace

Result<Settings> ParseSettings(std::string_view text, const fs::path& file) {
  KB_ASSIGN(const TomlFile toml, TomlFile::Parse(text, file.native()));
  std::error_code error;
  Settings settings;
  settings.file = fs::absolute(file, error).lexically_normal();
  if (error) return Fail(SystemError("cannot find the working directory", error.value()));
  ReadPaths(toml.root().Table("paths"), settings.file.parent_path(), &settings);
  const TomlSection users = toml.root().Table("users");
  settings.broker_user = RequiredUser(users, "broker_user", settings.broker_user);
  settings.token_user = RequiredUser(users, "token_user", settings.token_user);
  settings.admin_group = users.String("admin_group", settings.admin_group);
  ReadBroker(toml.root().Table("broker"), &settings);
  ReadAudit(toml.root().Table("audit"), &settings);
  ReadBackup(toml.root().Table("backup"), settings.file.parent_path(), &settings);
  KB_TRY(toml.Check());
  return settings;
}

Result<Settings> LoadSettings(const fs::path& file) {
  auto text = ReadFile(file);
  if (!text && text.error().code == ErrorCode::kNotFound) {
    return Fail(NotFound("there is no configuration at " + file.native() +
                         "; `keybroker setup` writes one, --config FILE names another"));
  }
  if (!text) return Fail(std::move(text).error());
  return ParseSettings(*text, file);
}

}  // namespace keybroker::config
