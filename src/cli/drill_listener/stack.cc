#include "cli/drill_listener/stack.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

#include "cli/answer.h"
#include "cli/layout.h"
#include "cli/listener_config/files.h"
#include "cli/listener_config/recipe.h"
#include "cli/listener_config/write.h"
#include "cli/listener_file.h"
#include "cli/settings_text.h"
#include "keybroker/base/file.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/process.h"
#include "keybroker/base/unique_fd.h"
#include "keybroker/broker/admin_client.h"
#include "keybroker/policy/listener.h"
#include "keybroker/tokenhost/client.h"

namespace keybroker::cli {
namespace {

constexpr char kListenerName[] = "drill";
constexpr char kLogFile[] = "log";
constexpr size_t kMostLastWords = 400;

// WriteSettings makes a keybroker.toml of the folder's own.
Result<config::Settings> WriteSettings(const std::filesystem::path& folder,
                                       const std::filesystem::path& profiles_dir,
                                       const std::string& user) {
  std::string text = config::DefaultSettingsText();
  KB_TRY(SetOption(text, "runtime_dir", (folder / "run").string()));
  KB_TRY(SetOption(text, "state_dir", (folder / "state").string()));
  KB_TRY(SetOption(text, "profiles_dir", profiles_dir.string()));
  KB_TRY(SetOption(text, "broker_user", user));
  KB_TRY(SetOption(text, "token_user", user));
  const auto file = folder / "keybroker.toml";
  KB_ASSIGN(auto settings, config::ParseSettings(text, file));
  KB_TRY(WriteFileAtomically(file, text, 0600));
  for (const auto& directory : {settings.listeners_dir, settings.tokens_dir, settings.state_dir}) {
    KB_TRY(MakeDirectory(directory, "", 0700));
  }
  return settings;
}

Status WriteListener(const config::Settings& settings, const backup::Manifest& manifest,
                     const std::string& user) {
  policy::Listener listener;
  listener.name = kListenerName;
  listener.mode = 0600;
  listener.users = {user};
  policy::Binding binding{manifest.name, manifest.type, {"tls-server"}, {}};
  KB_ASSIGN(binding.permitted, policy::ExpandMechanisms(binding.mechanisms));
  listener.bindings = {std::move(binding)};
  return StoreListener(settings, listener, true);
}

// WriteListenerFiles writes what `listener config` writes for a server.
Result<DrillFiles> WriteListenerFiles(const config::Settings& settings,
                                      const std::filesystem::path& directory,
                                      const backup::Backup& backup, const ListenerSide& libraries) {
  const auto& manifest = backup.manifest;
  ConfigFacts facts;
  facts.recipe = &kGenericOpenssl;
  facts.listener = kListenerName;
  facts.socket = settings.ListenerSocket(kListenerName);
  facts.directory = directory;
  facts.libraries = libraries;
  facts.keys = {{{manifest.name, manifest.type, Hex(manifest.id)}, backup.chain}};
  KB_ASSIGN(const auto files, MakeConfigFiles(facts));
  KB_TRY(WriteConfigFiles(directory, files));
  return DrillFiles{directory / "openssl.cnf",
                    directory / ReferenceFileName(manifest.name, manifest.type)};
}

Error While(const std::string& step, Error error) {
  error.detail = step + ": " + error.detail;
  return error;
}

}  // namespace

Result<DrillStack> DrillStack::Configure(const std::filesystem::path& folder,
                                         const std::filesystem::path& profiles_dir,
                                         const token::TokenConfig& token,
                                         const backup::Backup& backup,
                                         const ListenerSide& libraries) {
  KB_ASSIGN(const User user, FindUser(std::to_string(::geteuid())));
  DrillStack stack;
  KB_ASSIGN(stack.settings_, WriteSettings(folder, profiles_dir, user.name));
  KB_TRY(WriteFileAtomically(stack.settings_.TokenFile(token.name), token::FormatTokenConfig(token),
                             0600));
  KB_TRY(WriteListener(stack.settings_, backup.manifest, user.name));
  KB_ASSIGN(stack.files_,
            WriteListenerFiles(stack.settings_, folder / "listener", backup, libraries));
  stack.key_id_ = Hex(backup.manifest.id);
  return stack;
}

Status DrillStack::Start(const RunPrograms& programs, const Secret& pin) {
  KB_ASSIGN(const auto names, RunTokenNames(settings_));
  const std::string& token = names.front();
  auto tokenhost = DrillChild::Start(programs.Tokenhost(settings_, token));
  if (!tokenhost) return Fail(While("keybroker-tokenhost does not start", tokenhost.error()));
  pids_.push_back(tokenhost->pid());
  children_.push_back(std::move(*tokenhost));
  KB_ASSIGN(Secret copy, Secret::CopyFrom(pin.Expose()));
  const auto report = tokenhost::UnlockToken(settings_, token, std::move(copy));
  if (!report) return Fail(While("keybroker-tokenhost does not log in", report.error()));
  if (report->state != wire::TokenState::kReady) {
    return Fail(Unavailable("keybroker-tokenhost does not log in: " + report->detail));
  }
  auto broker = DrillChild::Start(programs.Broker(settings_));
  if (!broker) return Fail(While("keybrokerd does not start", broker.error()));
  pids_.push_back(broker->pid());
  children_.push_back(std::move(*broker));
  return AwaitKey();
}

// AwaitKey looks again and again: the broker says nothing of its own accord.
Status DrillStack::AwaitKey() const {
  const auto until = std::chrono::steady_clock::now() + kDrillPatience;
  for (;;) {
    const auto text = broker::AskBroker(settings_, wire::AdminVerb::kStatus);
    if (!text) return Fail(While("keybrokerd does not answer", text.error()));
    const Json status = Json::parse(*text, nullptr, false);
    const auto keys = status.find("keys");
    if (status.is_object() && keys != status.end()) {
      for (const Json& key : *keys) {
        if (GetText(key, "id") == key_id_) return {};
      }
    }
    if (std::chrono::steady_clock::now() >= until) {
      return Fail(Unavailable("keybrokerd does not get to see the restored key"));
    }
    ::usleep(5000);
  }
}

Status DrillStack::Stop() {
  Status first;
  while (!children_.empty()) {
    const Status ended = children_.back().Stop();
    const std::string name = children_.size() > 1 ? "keybrokerd" : "keybroker-tokenhost";
    if (!ended && first) first = Fail(While(name + " was told to end", ended.error()));
    children_.pop_back();
  }
  return first;
}

Status DrillStack::LogTo(const std::filesystem::path& folder) {
  const UniqueFd log(
      ::open((folder / kLogFile).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!log || ::dup2(log.get(), STDOUT_FILENO) < 0 || ::dup2(log.get(), STDERR_FILENO) < 0) {
    return Fail(SystemError("cannot write a log into " + folder.string(), errno));
  }
  return {};
}

std::string DrillStack::LastWords(const std::filesystem::path& folder) {
  const auto text = ReadFile(folder / kLogFile);
  if (!text || text->empty()) return {};
  std::string_view words(*text);
  if (words.size() > kMostLastWords) {
    words.remove_prefix(words.size() - kMostLastWords);
    words.remove_prefix(std::min(words.find('\n') + 1, words.size()));
  }
  std::string one_line;
  for (const char c : words) one_line += c == '\n' ? std::string("; ") : std::string(1, c);
  if (one_line.ends_with("; ")) one_line.resize(one_line.size() - 2);
  return one_line;
}

}  // namespace keybroker::cli
