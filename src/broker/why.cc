#include <algorithm>
#include "keybroker/base/json.h"

#include "broker/status.h"
#include "broker/unknown_keys.h"
#include "keybroker/base/shell_quote.h"
#include "keybroker/cryptoki/mechanism.h"
#include "keybroker/cryptoki/names.h"

namespace keybroker::broker {
namespace {

using Json = nlohmann::ordered_json;

// The word for a key that may be there, for all that is known: the same as listener check's.
constexpr char kTokenFailed[] = "token-failed";

std::string ListenerNames(const Snapshot& snapshot) {
  std::string names;
  for (const auto& listener : snapshot.listeners) {
    names += (names.empty() ? "" : ", ") + listener->name;
  }
  return names.empty() ? "none" : names;
}

bool IsBoundTo(const policy::Listener& listener, std::string_view key,
               const cryptoki::KeyType* type) {
  return std::any_of(
      listener.bindings.begin(), listener.bindings.end(), [&](const policy::Binding& binding) {
        return binding.key == key && (type == nullptr || !binding.type || *binding.type == *type);
      });
}

// FindKey looks for the key of the name that the question is about: one that is bound and that the
// mechanism goes with, else one that is bound, so that a wrong mechanism is called that.
const KnownKey* FindKey(const Snapshot& snapshot, const policy::Listener& listener,
                        std::string_view name, const cryptoki::SignMechanism* mechanism) {
  const KnownKey* best = nullptr;
  int best_fit = -1;
  for (const KnownKey& known : snapshot.keys) {
    if (known.key->name != name) continue;
    const bool bound = IsBoundTo(listener, name, &known.key->type);
    const bool goes = mechanism == nullptr || known.key->type == mechanism->key_type;
    const int fit = (bound ? 2 : 0) + (goes ? 1 : 0);
    if (fit <= best_fit) continue;
    best = &known;
    best_fit = fit;
  }
  return best;
}

// Decision is the answer: a word, and a sentence.
struct Decision {
  std::string word;
  std::string text;
};

// Question is what was asked, and what policy says to it.
struct Question {
  std::string_view key_name;
  const KnownKey* known;  // null: no token that was read has such a key
  CK_MECHANISM_TYPE mechanism;
  policy::Reason reason;
};

// WithoutKey: the key is on no token that was read.
std::string WithoutKey(const policy::Listener& listener, const Question& question,
                       const std::string& unknown) {
  if (unknown.empty()) return policy::ExplainNoKey(listener, question.key_name);
  const std::string key(question.key_name);
  return "listener \"" + listener.name + "\" has no binding for the key \"" + key +
         "\": keybroker listener bind " + listener.name + " " + ShellQuote(key) +
         ". Whether a token holds it is not known: " + unknown;
}

Decision Decide(const Snapshot& snapshot, const policy::Listener& listener,
                const Question& question) {
  const std::string word(policy::ReasonName(question.reason));
  std::string text =
      policy::Explain(question.reason, listener, question.key_name, question.mechanism);
  if (question.reason == policy::Reason::kKeyNotBound) {
    const std::string unknown = WhyKeysAreUnknown(snapshot.tokens);
    if (!unknown.empty() && IsBoundTo(listener, question.key_name, nullptr)) {
      return {kTokenFailed, "whether there is the key \"" + std::string(question.key_name) +
                                "\" that listener \"" + listener.name +
                                "\" is bound to is not known: " + unknown};
    }
    if (question.known == nullptr) text = WithoutKey(listener, question, unknown);
  } else if (question.reason == policy::Reason::kGranted) {
    const std::string away = WhyTokenIsAway(snapshot.tokens[question.known->token]);
    if (!away.empty()) text += "; but " + away;
  }
  return {word, std::move(text)};
}

}  // namespace

Result<std::string> WhyText(const Snapshot& snapshot, const wire::AdminRequest& request) {
  if (request.argument_count != 3) {
    return Fail(Malformed("why needs a listener, a key name and a mechanism"));
  }
  const std::string_view name = request.arguments[0];
  const std::string_view key_name = request.arguments[1];
  const std::string_view mechanism_name = request.arguments[2];
  const auto& listeners = snapshot.configuration.listeners;
  const auto found = std::find_if(listeners.begin(), listeners.end(),
                                  [&](const auto& setup) { return setup->policy.name == name; });
  if (found == listeners.end()) {
    return Fail(NotFound("there is no listener \"" + std::string(name) +
                         "\"; there is: " + ListenerNames(snapshot)));
  }
  const policy::Listener& listener = (*found)->policy;
  const cryptoki::SignMechanism* mechanism = cryptoki::FindSignMechanism(mechanism_name);
  const CK_MECHANISM_TYPE type =
      mechanism == nullptr ? CK_UNAVAILABLE_INFORMATION : mechanism->type;
  const KnownKey* known = FindKey(snapshot, listener, key_name, mechanism);
  policy::KeyFacts facts;
  if (known != nullptr) facts = {known->key->name, known->key->type, known->key->bits};
  const auto reason = policy::DecideMechanism(listener, known == nullptr ? nullptr : &facts, type);
  const Decision decision = Decide(snapshot, listener, {key_name, known, type, reason});
  const Json why = {{"listener", name},
                    {"key", key_name},
                    {"mechanism", mechanism_name},
                    {"granted", reason == policy::Reason::kGranted},
                    {"decision", decision.word},
                    {"rv", cryptoki::RvName(policy::ReasonRv(reason))},
                    {"key_on_token", known != nullptr},
                    {"keys_unknown", WhyKeysAreUnknown(snapshot.tokens)},
                    {"text", decision.text}};
  return why.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace keybroker::broker
