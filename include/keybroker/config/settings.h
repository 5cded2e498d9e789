#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "keybroker/base/result.h"

namespace keybroker::config {

inline constexpr std::string_view kDefaultConfig = "/etc/keybroker/keybroker.toml";

// SignatureAudit says how granted signatures are recorded: each, or summed per second.
enum class SignatureAudit { kEach, kPerSecond };

// AuditFailure says what happens to signatures while the audit log cannot be written.
enum class AuditFailure { kRefuse, kContinue };

// Settings is keybroker.toml, read by every program. Relative paths in the file are relative to
// the file's own directory; the paths here are absolute.
struct Settings {
  std::filesystem::path file;

  // [paths]
  std::filesystem::path runtime_dir = "/run/keybroker";    // sockets
  std::filesystem::path state_dir = "/var/lib/keybroker";  // PIN guard, audit logs
  std::filesystem::path listeners_dir = "listeners.d";     // one TOML file per listener
  std::filesystem::path tokens_dir = "tokens.d";           // one TOML file per token
  std::filesystem::path current_file = "current.toml";     // which generation is current
  std::filesystem::path profiles_dir = "/usr/share/keybroker/tokens";  // measured token models

  // [users] Used when started as root; otherwise everything runs as the starting user.
  std::string broker_user = "keybroker";
  std::string token_user = "keybroker-token";
  std::string admin_group;  // may use the admin socket beside root; empty: root only

  // [broker]
  unsigned workers = 4;                                // threads that carry a token's requests
  unsigned max_connections = 1024;                     // per listener
  std::chrono::milliseconds request_deadline{10000};   // cap on a request's own deadline
  std::chrono::milliseconds unavailable_budget{1000};  // waiting for a tokenhost, per outage

  // [audit]
  SignatureAudit signatures = SignatureAudit::kEach;
  AuditFailure on_failure = AuditFailure::kRefuse;
  uint64_t rotate_mib = 256;  // a longer broker's log is moved away; 0: never

  // [backup]
  std::vector<std::string> backup_formats = {"pkcs12", "cms"};  // `export` may make; first: default
  std::vector<std::filesystem::path> backup_recipients;  // recovery certificates of CMS backups
  unsigned backup_iterations = 600000;                   // PBKDF2-HMAC-SHA256
  unsigned backup_password_length = 15;  // least characters of a password that somebody thought of
  bool backup_restore_exportable = false;  // `backup restore --exportable` is allowed
  unsigned backup_days = 180;              // doctor warns of an older verified backup
  unsigned drill_days = 90;                // doctor warns of an older drill

  // Where things are; every program agrees on these.
  std::filesystem::path AdminSocket() const { return runtime_dir / "admin.socket"; }
  std::filesystem::path TokenSocketDir() const { return runtime_dir / "tokens"; }
  std::filesystem::path TokenSocket(std::string_view token) const {
    return TokenSocketDir() / (std::string(token) + ".socket");
  }
  std::filesystem::path ListenerSocket(std::string_view listener) const {
    return runtime_dir / std::string(listener) / "socket";
  }
  std::filesystem::path ListenerFile(std::string_view listener) const {
    return listeners_dir / (std::string(listener) + ".toml");
  }
  std::filesystem::path TokenFile(std::string_view token) const {
    return tokens_dir / (std::string(token) + ".toml");
  }
  std::filesystem::path BrokerStateDir() const {
    return state_dir / "broker";
  }  // owner broker_user, 0700
  std::filesystem::path TokenStateDir() const {
    return state_dir / "token";
  }  // owner token_user, 0700
  std::filesystem::path OperatorStateDir() const { return state_dir / "operator"; }  // root, 0700
  std::filesystem::path BrokerAudit() const { return BrokerStateDir() / "audit.log"; }
  std::filesystem::path BackupRecords() const { return OperatorStateDir() / "backups"; }
  std::filesystem::path OperatorAudit() const { return OperatorStateDir() / "audit.log"; }
};

// ParseSettings reads the text of a keybroker.toml called file. Malformed names file, line and the
// legal values.
Result<Settings> ParseSettings(std::string_view text, const std::filesystem::path& file);

// LoadSettings reads the file. NotFound says which command makes one.
Result<Settings> LoadSettings(const std::filesystem::path& file);

// DefaultSettingsText is a keybroker.toml with every option commented, its default and its warning.
std::string DefaultSettingsText();

// CheckName accepts the name of a listener or token: 1 to 32 of a-z, 0-9, '-', beginning with a
// letter; "tokens" and "admin" are reserved because they name sockets.
Status CheckName(std::string_view what, std::string_view name);

}  // namespace keybroker::config
