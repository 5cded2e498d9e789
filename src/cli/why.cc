#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "cli/broker_why.h"
#include "cli/commands.h"
#include "cli/key_choice.h"
#include "cli/listener_file.h"
#include "keybroker/base/shell_quote.h"
#include "keybroker/cryptoki/mechanism.h"
#include "keybroker/cryptoki/names.h"
#include "keybroker/policy/decision.h"

namespace keybroker::cli {
namespace {

bool IsBoundTo(const policy::Listener& listener, const std::string& key, cryptoki::KeyType type) {
  return std::any_of(listener.bindings.begin(), listener.bindings.end(),
                     [&](const policy::Binding& binding) {
                       return binding.key == key && (!binding.type || *binding.type == type);
                     });
}

// KnownKey stands in for the token's word: every key that keybroker made is in current.toml. A key
// that is bound comes before one that the mechanism goes with, as in the broker.
std::optional<policy::KeyFacts> KnownKey(const policy::CurrentKeys& current,
                                         const policy::Listener& listener,
                                         const WhyQuestion& options,
                                         const cryptoki::SignMechanism* mechanism) {
  std::optional<policy::KeyFacts> best;
  int best_fit = -1;
  for (const auto& [entry, id] : current.ids) {
    if (entry.first != options.key) continue;
    const bool goes = mechanism == nullptr || mechanism->key_type == entry.second;
    const int fit = (IsBoundTo(listener, options.key, entry.second) ? 2 : 0) + (goes ? 1 : 0);
    if (fit <= best_fit) continue;
    best = policy::KeyFacts{options.key, entry.second, 0};
    best_fit = fit;
  }
  return best;
}

// NoKeyInFiles: a token may hold what the files do not know.
std::string NoKeyInFiles(const policy::Listener& listener, const std::string& key,
                         const std::string& way_back) {
  const bool bound = IsBoundTo(listener, key, cryptoki::KeyType::kRsa) ||
                     IsBoundTo(listener, key, cryptoki::KeyType::kEc);
  return "keybroker's files name no key \"" + key +
         "\", and what the tokens hold is not known while no broker runs: `keybroker key list` "
         "shows it" +
         (way_back.empty() ? "" : "; a backup of it is on record: " + way_back) +
         (bound ? ""
                : "; nor is listener \"" + listener.name +
                      "\" bound to it: keybroker listener bind " + listener.name + " " +
                      ShellQuote(key));
}

// Named puts what was typed in the place of the name that an unknown mechanism has not got.
std::string Named(std::string text, const WhyQuestion& options) {
  constexpr std::string_view kNameless = "CKM_?";
  const size_t at = text.find(kNameless);
  if (at != std::string::npos) text.replace(at, kNameless.size(), options.mechanism);
  return text;
}

// NoteUnknown lists the mechanisms there are when a name is none of them.
void NoteUnknown(const WhyQuestion& options, Answer& answer) {
  if (cryptoki::FindSignMechanism(options.mechanism) != nullptr) return;
  std::string names;
  for (const auto& mechanism : cryptoki::AllSignMechanisms()) {
    names += (names.empty() ? "" : ", ") + std::string(mechanism.name);
  }
  answer.notes.push_back("the mechanisms that a binding can permit: " + names);
}

// FromFiles decides as the broker would, from the same files by the same rules.
Result<Answer> FromFiles(const config::Settings& settings, const WhyQuestion& options) {
  KB_ASSIGN(const auto listener, LoadListener(settings, options.listener));
  KB_ASSIGN(const auto current, LoadCurrent(settings));
  const auto* mechanism = cryptoki::FindSignMechanism(options.mechanism);
  const auto facts = KnownKey(current, listener, options, mechanism);
  const CK_MECHANISM_TYPE type =
      mechanism == nullptr ? CK_UNAVAILABLE_INFORMATION : mechanism->type;
  const auto reason = policy::DecideMechanism(listener, facts ? &*facts : nullptr, type);
  const bool no_key = !facts && reason == policy::Reason::kKeyNotBound;
  Answer answer =
      MakeAnswer(no_key ? NoKeyInFiles(listener, options.key, WayBackTo(settings, options))
                        : Named(policy::Explain(reason, listener, options.key, type), options),
                 {{"listener", options.listener},
                  {"key", options.key},
                  {"mechanism", options.mechanism},
                  {"granted", reason == policy::Reason::kGranted},
                  {"decision", policy::ReasonName(reason)},
                  {"rv", cryptoki::RvName(policy::ReasonRv(reason))}});
  answer.json["text"] = answer.text;
  answer.json["from"] = "files";
  NoteUnknown(options, answer);
  answer.notes.push_back(
      "no broker is running: this is what the files say, and which keys are on "
      "the token was not looked up");
  return answer;
}

Answer WithExit(Answer answer) {
  answer.good = GetBool(answer.json, "granted");
  answer.exit_when_not_good = kExitDenied;
  return answer;
}

Result<Answer> Why(const Invocation& invocation, const WhyQuestion& options) {
  KB_ASSIGN(const auto settings, invocation.Settings());
  auto asked = AskWhy(settings, options);
  if (!asked && asked.error().code == ErrorCode::kUnavailable) {
    KB_ASSIGN(Answer answer, FromFiles(settings, options));
    return WithExit(std::move(answer));
  }
  KB_ASSIGN(Json json, std::move(asked));
  json["from"] = "broker";
  json["text"] = Named(GetText(json, "text"), options);
  Answer answer = MakeAnswer(GetText(json, "text"), json);
  NoteUnknown(options, answer);
  return WithExit(std::move(answer));
}

}  // namespace

void AddWhy(const Command& root) {
  auto options = std::make_shared<WhyQuestion>();
  const Command verb = root.Verb(
      "why", "say whether a listener may sign with a key, and why (exit status 0 yes, 3 no)",
      "keybroker why smtp mail.example.test CKM_RSA_PKCS_PSS");
  verb.Argument("LISTENER", options->listener, "its name")
      .Argument("KEY", options->key, "key name, an FQDN")
      .Argument("MECHANISM", options->mechanism, "PKCS#11 name, such as CKM_ECDSA");
  verb.Does([options](const Invocation& i) { return Why(i, *options); });
}

}  // namespace keybroker::cli
