#include <unistd.h>

#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

#include "cli/change.h"
#include "cli/commands.h"
#include "cli/layout.h"
#include "cli/settings_text.h"
#include "keybroker/base/file.h"
#include "keybroker/base/process.h"

namespace keybroker::cli {
namespace {

struct SetupOptions {
  std::string runtime_dir;
  std::string state_dir;
  std::string profiles_dir;
  std::string broker_user;
  std::string token_user;
  std::string admin_group;
};

Result<std::string> SettingsText(const SetupOptions& options) {
  std::string text = config::DefaultSettingsText();
  KB_TRY(SetOption(text, "runtime_dir", options.runtime_dir));
  KB_TRY(SetOption(text, "state_dir", options.state_dir));
  KB_TRY(SetOption(text, "profiles_dir", options.profiles_dir));
  KB_TRY(SetOption(text, "broker_user", options.broker_user));
  KB_TRY(SetOption(text, "token_user", options.token_user));
  KB_TRY(SetOption(text, "admin_group", options.admin_group));
  return text;
}

Status CheckUsers(const config::Settings& settings) {
  if (::geteuid() != 0) return {};
  for (const std::string& user : {settings.broker_user, settings.token_user}) {
    if (FindUser(user)) continue;
    std::string text = "there is no user \"" + user;
    text += "\": make one with `useradd --system --no-create-home --shell /usr/sbin/nologin ";
    return Fail(NotFound(text + user + "`"));
  }
  if (!settings.admin_group.empty()) KB_TRY(FindGroup(settings.admin_group));
  return {};
}

Status MakeDirectories(const config::Settings& settings) {
  KB_TRY(MakeDirectory(settings.listeners_dir, "", 0755));
  KB_TRY(MakeDirectory(settings.tokens_dir, "", 0755));
  KB_TRY(MakeStateDirectories(settings));
  return MakeDirectory(settings.BrokerStateDir(), settings.broker_user, 0700);
}

// CheckSame refuses options that say something else than the file that is there: it is the
// operator's, and is not rewritten.
Status CheckSame(const SetupOptions& options, const config::Settings& there) {
  struct Pair {
    const char* name;
    std::string wanted;
    std::string is;
  };
  std::string differ;
  for (const Pair& one : {Pair{"runtime_dir", options.runtime_dir, there.runtime_dir.string()},
                          Pair{"state_dir", options.state_dir, there.state_dir.string()},
                          Pair{"profiles_dir", options.profiles_dir, there.profiles_dir.string()},
                          Pair{"broker_user", options.broker_user, there.broker_user},
                          Pair{"token_user", options.token_user, there.token_user},
                          Pair{"admin_group", options.admin_group, there.admin_group}}) {
    if (one.wanted.empty() || one.wanted == one.is) continue;
    differ += (differ.empty() ? "" : ", ") + std::string(one.name) + " = \"" + one.is +
              "\" and not \"" + one.wanted + "\"";
  }
  if (differ.empty()) return {};
  return Fail(Conflict(there.file.string() + " is there already and says " + differ +
                       ". Nothing was changed: edit the file, or leave the option out"));
}

// InstalledProfiles is where the profiles of this very installation are, when it is not the
// default's: below another prefix than /usr, ../share/keybroker/tokens from here.
std::string InstalledProfiles() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto beside = self.parent_path().parent_path() / "share/keybroker/tokens";
  const bool other = !error && std::filesystem::is_directory(beside, error) &&
                     beside != config::Settings().profiles_dir;
  return other ? beside.string() : std::string();
}

Result<Answer> Setup(const Invocation& invocation, SetupOptions options) {
  const auto file = std::filesystem::absolute(invocation.config);
  const auto present = ReadFile(file);
  const bool write = !present && present.error().code == ErrorCode::kNotFound;
  if (!write) KB_TRY(present);
  if (write && options.profiles_dir.empty()) options.profiles_dir = InstalledProfiles();
  KB_ASSIGN(const std::string text, SettingsText(options));
  KB_ASSIGN(const auto settings, config::ParseSettings(write ? text : *present, file));
  if (!write) KB_TRY(CheckSame(options, settings));
  KB_TRY(CheckUsers(settings));
  if (write) {
    KB_TRY(MakeDirectory(file.parent_path(), "", 0755));
    KB_TRY(WriteFileAtomically(file, text, 0644, Overwrite::kRefuse));
  }
  KB_TRY(MakeDirectories(settings));
  KB_ASSIGN(Change change, Change::Begin(settings));
  KB_TRY(change.Record({"setup", "", "", file.string()}, {}));
  Answer answer = MakeAnswer(
      (write ? "wrote " : "kept ") + file.string() + "; made what was missing of " +
          settings.listeners_dir.string() + ", " + settings.tokens_dir.string() + " and " +
          settings.state_dir.string() + "; the broker makes " + settings.runtime_dir.string() +
          " when it starts\n" + "next: keybroker token add NAME --module FILE --label LABEL",
      {{"config", file.string()},
       {"written", write},
       {"listeners_dir", settings.listeners_dir.string()},
       {"tokens_dir", settings.tokens_dir.string()},
       {"state_dir", settings.state_dir.string()},
       {"runtime_dir", settings.runtime_dir.string()}});
  std::error_code error;
  if (!std::filesystem::is_directory(settings.profiles_dir, error)) {
    answer.notes.push_back("warning: the token profiles are not in " +
                           settings.profiles_dir.string() +
                           ": install keybroker, or set profiles_dir in " + file.string() +
                           " to the folder tokens/ of its sources");
  }
  return answer;
}

}  // namespace

void AddSetup(const Command& root) {
  auto options = std::make_shared<SetupOptions>();
  const Command verb =
      root.Verb("setup", "write a keybroker.toml and make the directories it names",
                "keybroker setup --admin-group adm");
  verb.Option("--runtime-dir", options->runtime_dir, "where the sockets will be")
      .Option("--state-dir", options->state_dir, "where PIN guard and audit logs will be")
      .Option("--profiles-dir", options->profiles_dir, "where the token profiles are")
      .Option("--broker-user", options->broker_user, "user of keybrokerd")
      .Option("--token-user", options->token_user, "user of keybroker-tokenhost")
      .Option("--admin-group", options->admin_group,
              "group that may ask the broker for its status");
  verb.Does([options](const Invocation& i) { return Setup(i, *options); });
}

}  // namespace keybroker::cli
