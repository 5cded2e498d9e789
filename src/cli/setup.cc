#include <unistd.h>

#include <memory>
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
    if (!FindUser(user)) {
      return Fail(NotFound("there is no user \"" + user +
                           "\": make one with `useradd --system --no-create-home --shell "
                           "/usr/sbin/nologin " +
                           user + "`"));
    }
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

Result<Answer> Setup(const Invocation& invocation, const SetupOptions& options) {
  const auto file = std::filesystem::absolute(invocation.config);
  KB_ASSIGN(const std::string text, SettingsText(options));
  const auto present = ReadFile(file);
  const bool write = !present && present.error().code == ErrorCode::kNotFound;
  if (!write) KB_TRY(present);
  KB_ASSIGN(const auto settings, config::ParseSettings(write ? text : *present, file));
  KB_TRY(CheckUsers(settings));
  if (write) {
    KB_TRY(MakeDirectory(file.parent_path(), "", 0755));
    KB_TRY(WriteFileAtomically(file, text, 0644, Overwrite::kRefuse));
  }
  KB_TRY(MakeDirectories(settings));
  KB_ASSIGN(Change change, Change::Begin(settings));
  KB_TRY(change.Record({"setup", "", "", file.string()}, {}));
  Answer answer = MakeAnswer((write ? "wrote " : "kept ") + file.string() +
                                 "; the directories it names are there\n" +
                                 "next: keybroker token add NAME --module FILE --label LABEL",
                             {{"config", file.string()},
                              {"written", write},
                              {"listeners_dir", settings.listeners_dir.string()},
                              {"tokens_dir", settings.tokens_dir.string()},
                              {"state_dir", settings.state_dir.string()},
                              {"runtime_dir", settings.runtime_dir.string()}});
  const bool given = !options.runtime_dir.empty() || !options.state_dir.empty() ||
                     !options.profiles_dir.empty() || !options.broker_user.empty() ||
                     !options.token_user.empty() || !options.admin_group.empty();
  if (!write && given) {
    answer.notes.push_back("the file was there already and was not changed: edit it yourself");
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
