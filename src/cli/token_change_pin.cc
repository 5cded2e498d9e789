#include <sys/fsuid.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "cli/change.h"
#include "cli/token_access.h"
#include "cli/token_child.h"
#include "cli/token_commands.h"
#include "cli/token_login.h"
#include "keybroker/base/file.h"
#include "keybroker/base/process.h"
#include "keybroker/ipc/directory.h"
#include "keybroker/token/module.h"
#include "keybroker/token/pin_source.h"
#include "keybroker/token/token.h"

namespace keybroker::cli {
namespace {

struct ChangeOptions {
  std::string name;
  PinOptions pin;
  PinOptions new_pin;
};

// ChangeInChild gets the new PIN first, then the old one unless it is read from its file.
Result<Json> ChangeInChild(const config::Settings& settings, const token::TokenConfig& config,
                           const std::vector<Secret>& secrets) {
  Secret old_pin;
  const bool typed = secrets.size() > 1;
  const auto origin = typed ? token::PinOrigin::kTyped : token::PinOrigin::kStanding;
  if (typed) {
    KB_ASSIGN(old_pin, secrets[1].Clone());
  } else {
    KB_ASSIGN(auto read, token::ReadPin(config));
    if (!read) return Fail(Denied("no PIN for the token \"" + config.name + "\""));
    old_pin = std::move(*read);
  }
  KB_ASSIGN(auto module, token::Module::Load(config));
  KB_ASSIGN(auto token, token::Token::Find(std::move(module), config));
  KB_TRY(LogIn(settings, config, token, old_pin, origin));
  KB_ASSIGN(auto guard, GuardOf(settings, token, config.name, origin));
  KB_TRY(token.ChangePin(old_pin, secrets[0], guard));
  return Json{{"changed", true}};
}

// FileRights has this thread open files as another user (setfsuid(2)), as long as it lives.
class FileRights {
 public:
  explicit FileRights(const std::optional<User>& user) {
    if (!user) return;
    ::setfsgid(user->gid);
    ::setfsuid(user->uid);
  }
  ~FileRights() {
    ::setfsuid(::geteuid());
    ::setfsgid(::getegid());
  }
  FileRights(const FileRights&) = delete;
  FileRights& operator=(const FileRights&) = delete;

  // AreOf tells whether they are that user's: setfsuid(2) reports no failure.
  static bool AreOf(const std::optional<User>& user) {
    return !user || ::setfsuid(static_cast<uid_t>(-1)) == static_cast<int>(user->uid);
  }
};

// NewPinFile is the new PIN's file, and by whose rights it is written: the token user's, where it
// can put another directory into the place of the one that was configured. Nothing: by ours.
struct NewPinFile {
  StagedFile staged;
  std::optional<User> writer;
};

// StagePin writes the new PIN beside the configured file, before the token is asked: a full disk
// must not leave a token whose PIN is nowhere, and a tokenhost whose next start tries the old one.
Result<std::optional<NewPinFile>> StagePin(const config::Settings& settings,
                                           const token::TokenConfig& config, const Secret& pin) {
  if (config.pin_file.empty()) return std::nullopt;
  FileOwner owner;
  std::optional<User> writer;
  const std::filesystem::path path = config.pin_file;
  std::error_code ignored;
  if (::geteuid() == 0 && std::filesystem::is_directory(path.parent_path(), ignored)) {
    KB_ASSIGN(const User user, FindUser(settings.token_user));
    owner = {user.uid, user.gid};
    // What leads through a symbolic link may lead elsewhere the next time.
    const auto safe = ipc::MakeSafeDirectory(path.parent_path());
    if (!safe || *safe != path.parent_path()) writer = user;
  }
  const auto bytes = pin.Expose();
  auto staged = [&]() -> Result<StagedFile> {
    const FileRights rights(writer);
    if (!FileRights::AreOf(writer)) return Fail(Denied("its user's rights cannot be taken on"));
    return StagedFile::Write(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                             0600, owner);
  }();
  if (staged) return NewPinFile{std::move(*staged), std::move(writer)};
  Error error = std::move(staged).error();
  error.detail = "the PIN was not changed, because its file cannot be: " + error.detail;
  return Fail(std::move(error));
}

Status PublishPin(const token::TokenConfig& config, NewPinFile& file) {
  const FileRights rights(file.writer);
  const Status published = FileRights::AreOf(file.writer)
                               ? file.staged.Publish()
                               : Fail(Denied("its user's rights cannot be taken on"));
  if (published) return {};
  return Fail(Internal("the PIN was changed on the token, but " + config.pin_file.string() +
                       " still holds the old one: " + published.error().detail +
                       ". Write the new one there before the tokenhost starts again"));
}

Result<Answer> TokenChangePin(const Invocation& invocation, const ChangeOptions& options) {
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const auto config, ChooseToken(settings, options.name, TokenWord::kArgument));
  const std::string who = "PIN of the token \"" + config.name + "\"";
  Secret old_pin;
  const bool ask_old = options.pin.Given() || config.pin_file.empty();
  if (ask_old) {
    KB_ASSIGN(old_pin, AskPin(options.pin, who, false));
  }
  KB_ASSIGN(const Secret new_pin, AskPin(options.new_pin, "new " + who, true));
  std::vector<const Secret*> secrets{&new_pin};
  if (ask_old) secrets.push_back(&old_pin);
  KB_ASSIGN(Change change, Change::Begin(settings));
  const ChangeRecord record{"token-change-pin", "", "", config.name};
  KB_ASSIGN(auto staged, StagePin(settings, config, new_pin));
  KB_TRY(Recorded(change, record, [&] {
    return RunAsTokenUser(settings, config, secrets, [&](const std::vector<Secret>& received) {
      return ChangeInChild(settings, config, received);
    });
  }));
  KB_TRY(change.Record(record, {}));
  Answer answer = MakeAnswer("changed the " + who, {{"name", config.name}, {"changed", true}});
  if (staged) {
    KB_TRY(PublishPin(config, *staged));
    answer.text += "; " + config.pin_file.string() + " holds the new one";
  }
  if (!config.pin_credential.empty()) {
    answer.notes.push_back("the systemd credential \"" + config.pin_credential +
                           "\" still holds the old one: replace it before the tokenhost starts "
                           "again");
  }
  return answer;
}

}  // namespace

void AddTokenChangePin(const Command& noun) {
  auto options = std::make_shared<ChangeOptions>();
  const Command verb = noun.Verb("change-pin", "change a token's user PIN and its PIN file",
                                 "keybroker token change-pin soft");
  verb.OptionalArgument("NAME", options->name, "the token's name here; the only one when left out");
  AddPinOptions(verb, options->pin);
  AddPinOptions(verb, options->new_pin, "new-");
  verb.Does([options](const Invocation& i) { return TokenChangePin(i, *options); });
}

}  // namespace keybroker::cli
