#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

#include "cli/change.h"
#include "cli/layout.h"
#include "cli/listener_commands.h"
#include "cli/listener_file.h"
#include "cli/pin.h"

namespace keybroker::cli {
namespace {

struct RemoveOptions {
  std::string name;
  bool yes = false;
};

Result<Answer> ListenerRemove(const Invocation& invocation, const RemoveOptions& options) {
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_TRY(config::CheckName("listener", options.name));
  KB_ASSIGN(const auto names, ListenerNames(settings));
  if (std::find(names.begin(), names.end(), options.name) == names.end()) {
    KB_TRY(LoadListener(settings, options.name));
  }
  KB_TRY(Confirm("This removes the listener " + options.name +
                     " with its bindings; its servers "
                     "can no longer sign",
                 options.name, options.yes));
  KB_ASSIGN(Change change, Change::Begin(settings));
  std::error_code error;
  if (!std::filesystem::remove(settings.ListenerFile(options.name), error)) {
    return Fail(SystemError("cannot remove " + settings.ListenerFile(options.name).string(),
                            error ? error.value() : ENOENT));
  }
  std::filesystem::remove(ListenerDirectory(settings, options.name).string() + ".directories",
                          error);
  Answer answer = MakeAnswer("removed the listener " + options.name, {{"removed", options.name}});
  const auto references = settings.file.parent_path() / "references" / options.name;
  if (std::filesystem::exists(references, error)) {
    answer.notes.push_back("its reference files in " + references.string() +
                           " are left: delete them once no server's configuration names them");
  }
  KB_TRY(change.Done({"listener-remove", "", "", options.name}, answer));
  return answer;
}

}  // namespace

void AddListenerRemove(const Command& noun) {
  auto remove = std::make_shared<RemoveOptions>();
  const Command remover =
      noun.Verb("remove", "remove a listener and its bindings", "keybroker listener remove nntp");
  remover.Argument("NAME", remove->name, "its name")
      .Flag("--yes", remove->yes, "do not ask to type the name");
  remover.Does([remove](const Invocation& i) { return ListenerRemove(i, *remove); });
}

}  // namespace keybroker::cli
