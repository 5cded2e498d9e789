#include <filesystem>
#include <memory>
#include <system_error>

#include "cli/change.h"
#include "cli/listener_commands.h"
#include "cli/listener_file.h"
#include "cli/listener_text.h"
#include "cli/socket_access.h"
#include "keybroker/base/process.h"

namespace keybroker::cli {
namespace {

struct ListenerOptions {
  std::string name;
  std::vector<std::string> users;
  std::string socket;
  std::string owner;
  std::string group;
  std::string mode = "0660";
  std::vector<std::string> jails;
};

Status CheckAccounts(const ListenerOptions& options) {
  for (const std::string& user : options.users) KB_TRY(FindUser(user));
  if (!options.owner.empty()) KB_TRY(FindUser(options.owner));
  if (!options.group.empty()) KB_TRY(FindGroup(options.group));
  return {};
}

Status CheckSocketIsFree(const config::Settings& settings, const policy::Listener& listener) {
  KB_ASSIGN(const auto names, ListenerNames(settings));
  for (const std::string& name : names) {
    if (name == listener.name) continue;
    const auto other = LoadListener(settings, name);
    if (other && SocketOf(settings, *other) == SocketOf(settings, listener)) {
      return Fail(Conflict("the socket " + SocketOf(settings, listener).string() +
                           " is that of the listener \"" + name + "\": one socket, one listener"));
    }
  }
  return {};
}

Result<Answer> ListenerAdd(const Invocation& invocation, const ListenerOptions& options) {
  KB_TRY(config::CheckName("listener", options.name));
  if (options.users.empty()) {
    return Fail(
        WrongUsage("--user is needed: whose processes may ask. Name root too when the server "
                   "loads its key as root"));
  }
  KB_TRY(CheckAccounts(options));
  KB_ASSIGN(const mode_t mode, ParseMode(options.mode));
  KB_ASSIGN(const auto settings, invocation.Settings());
  policy::Listener listener{
      options.name, options.socket, options.owner, options.group, mode, options.users, {}, {}};
  listener.jails.assign(options.jails.begin(), options.jails.end());
  KB_ASSIGN(Change change, Change::Begin(settings));
  KB_TRY(CheckSocketIsFree(settings, listener));
  KB_TRY(StoreListener(settings, listener, true));
  Answer answer = MakeAnswer("added " + ListenerText(settings, listener) +
                                 "next: keybroker listener bind " + listener.name + " KEY",
                             {{"listener", ListenerJson(settings, listener)}});
  if (auto text = ShutOutText(settings, listener); !text.empty()) {
    answer.notes.push_back("warning: " + text);
  }
  for (const auto& jail : listener.jails) {
    std::error_code error;
    if (std::filesystem::is_directory(jail, error)) continue;
    answer.notes.push_back("warning: the jail " + jail.string() +
                           " is not a directory: processes in it are not served until it is");
  }
  KB_TRY(change.Done({"listener-add", "", "", listener.name}, answer));
  return answer;
}

}  // namespace

void AddListenerAdd(const Command& noun) {
  auto options = std::make_shared<ListenerOptions>();
  const Command verb = noun.Verb("add", "add a service that may ask for signatures",
                                 "keybroker listener add smtp --user postfix --user root "
                                 "--group postfix --jail /var/spool/postfix");
  verb.Argument("NAME", options->name, "its name: a-z, 0-9 and -")
      .Repeated("--user", options->users,
                "a user whose processes may ask; may be repeated (root too, when the server loads "
                "its key as root)")
      .Option("--socket", options->socket, "path of its socket; default: runtime_dir/NAME/socket")
      .Option("--owner", options->owner, "owner of the socket; default: the broker's user")
      .Option("--group", options->group, "group of the socket; default: the broker's group")
      .Option("--mode", options->mode, "mode of the socket (default 0660)")
      .Repeated("--jail", options->jails,
                "a directory that it chroots to: the socket is there too; may be repeated");
  verb.Does([options](const Invocation& i) { return ListenerAdd(i, *options); });
}

}  // namespace keybroker::cli
