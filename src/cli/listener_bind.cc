#include <algorithm>
#include <memory>

#include "cli/backup_standing.h"
#include "cli/change.h"
#include "cli/key_choice.h"
#include "cli/listener_commands.h"
#include "cli/listener_file.h"
#include "cli/listener_text.h"
#include "keybroker/base/shell_quote.h"

namespace keybroker::cli {
namespace {

struct BindOptions {
  std::string listener;
  std::string key;
  std::string type;
  std::vector<std::string> mechanisms;
};

bool IsSame(const policy::Binding& binding, const KeyWish& wish) {
  return binding.key == wish.name && binding.type == wish.type;
}

std::string BindingName(const KeyWish& wish) {
  return wish.name + (wish.type ? " (" + std::string(cryptoki::KeyTypeName(*wish.type)) + ")" : "");
}

Result<Answer> ListenerBind(const Invocation& invocation, const BindOptions& options) {
  KB_ASSIGN(const KeyWish wish, MakeWish(options.key, options.type, ""));
  policy::Binding binding{wish.name, wish.type, options.mechanisms, {}};
  if (binding.mechanisms.empty()) binding.mechanisms = {"tls-server"};
  KB_ASSIGN(binding.permitted, policy::ExpandMechanisms(binding.mechanisms));
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(Change change, Change::Begin(settings));
  KB_ASSIGN(auto listener, LoadListener(settings, options.listener));
  for (const auto& other : listener.bindings) {
    if (!IsSame(other, wish)) continue;
    return Fail(Conflict("the listener \"" + listener.name + "\" has a binding of " +
                         BindingName(wish) + " already: unbind it first to change it"));
  }
  listener.bindings.push_back(binding);
  KB_TRY(StoreListener(settings, listener, false));
  Answer answer = MakeAnswer(listener.name + " may now sign with " + BindingName(wish),
                             {{"listener", ListenerJson(settings, listener)}});
  const auto current = LoadCurrent(settings);
  const bool known =
      current && std::any_of(current->ids.begin(), current->ids.end(),
                             [&](const auto& e) { return e.first.first == wish.name; });
  if (!known) {
    const std::string back = WayBack(settings, wish.name, wish.type);
    answer.notes.push_back(
        "no key " + wish.name + " is known yet: " + (back.empty() ? "" : back + "; ") +
        "`keybroker key generate " + ShellQuote(wish.name) +
        (wish.type ? " --type " + std::string(cryptoki::KeyTypeName(*wish.type)) : std::string()) +
        "` makes a new one, or, if the name is mistyped, `keybroker listener unbind " +
        listener.name + " " + ShellQuote(wish.name) + "`");
  }
  KB_TRY(change.Done({"listener-bind", wish.name, "", listener.name}, answer));
  return answer;
}

Result<Answer> ListenerUnbind(const Invocation& invocation, const BindOptions& options) {
  KB_ASSIGN(const KeyWish wish, MakeWish(options.key, options.type, ""));
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(Change change, Change::Begin(settings));
  KB_ASSIGN(auto listener, LoadListener(settings, options.listener));
  const size_t before = listener.bindings.size();
  std::erase_if(listener.bindings, [&](const policy::Binding& b) {
    return b.key == wish.name && (!wish.type || IsSame(b, wish));
  });
  if (listener.bindings.size() == before) {
    return Fail(NotFound("the listener \"" + listener.name + "\" has no binding of " +
                         BindingName(wish) + ": `keybroker listener show " + listener.name + "`"));
  }
  KB_TRY(StoreListener(settings, listener, false));
  Answer answer = MakeAnswer(listener.name + " may no longer sign with " + BindingName(wish),
                             {{"listener", ListenerJson(settings, listener)}});
  KB_TRY(change.Done({"listener-unbind", wish.name, "", listener.name}, answer));
  return answer;
}

void AddBinding(const Command& noun, const char* name, const char* help, bool bind) {
  auto options = std::make_shared<BindOptions>();
  const Command verb =
      noun.Verb(name, help, std::string("keybroker listener ") + name + " smtp mail.example.test");
  verb.Argument("LISTENER", options->listener, "its name")
      .Argument("KEY", options->key, "key name, an FQDN")
      .Option("--type", options->type, "rsa or ec; both when left out");
  if (bind) {
    verb.Repeated("--mechanism", options->mechanisms,
                  "tls-server (default), tls-handshake (only a TLS server's handshakes) or a "
                  "PKCS#11 name such as CKM_ECDSA; may be repeated");
  }
  verb.Does([options, bind](const Invocation& i) {
    return bind ? ListenerBind(i, *options) : ListenerUnbind(i, *options);
  });
}

}  // namespace

void AddListenerBindings(const Command& noun) {
  AddBinding(noun, "bind", "let a listener sign with a key", true);
  AddBinding(noun, "unbind", "no longer let a listener sign with a key", false);
}

}  // namespace keybroker::cli
