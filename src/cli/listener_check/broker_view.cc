#include "cli/listener_check/broker_view.h"

#include <openssl/ssl.h>

#include <vector>

#include "cli/broker_why.h"
#include "keybroker/base/joined.h"
#include "keybroker/broker/admin_client.h"

namespace keybroker::cli {
namespace {

constexpr char kTokenFailed[] = "token-failed";

constexpr char kUnsupported[] =
    "Its log says why. \"unsupported\" in there (unsupported key algorithm, DECODER "
    "routines::unsupported) means that it read the reference without keybroker's engine: "
    "OPENSSL_CONF, or its own setting, does not reach it";

// Refusal is the broker's own word and sentence for what it would not sign.
struct Refusal {
  std::string word;
  std::string text;  // empty: it would sign
};

// PolicyRefuses asks `why` for the mechanism that TLS 1.3 needs.
Refusal PolicyRefuses(const config::Settings& settings, const policy::Listener& listener,
                      const KeyTarget& target) {
  const char* mechanism = target.type == cryptoki::KeyType::kRsa ? "CKM_RSA_PKCS_PSS" : "CKM_ECDSA";
  const auto asked = AskWhy(settings, {listener.name, target.name, mechanism});
  if (!asked || GetBool(*asked, "granted")) return {};
  const Json& json = *asked;
  // A key that nobody could look for is no refusal of the policy's.
  const bool unknown = GetText(json, "decision") == kTokenFailed;
  return {unknown ? kTokenFailed : "broker-refused", GetText(json, "text")};
}

std::string TokensAway(const Json& status) {
  std::string text;
  const auto tokens = status.find("tokens");
  if (tokens == status.end() || !tokens->is_array()) return text;
  for (const Json& token : *tokens) {
    if (GetText(token, "state") == "ready") continue;
    text += " The token " + GetText(token, "name") + " is " + GetText(token, "state");
    const std::string detail = GetText(token, "detail");
    text += (detail.empty() ? "" : ": " + detail) + ".";
  }
  return text;
}

// Jailed says what a server that chroots needs, for one that no log may tell of it.
std::string Jailed(const policy::Listener& listener) {
  const std::string same = ", and one that chroots reaches the broker only by the socket inside ";
  if (listener.jails.empty()) {
    return same + "its jail: this listener has none (jails, `keybroker listener show " +
           listener.name + "`)";
  }
  std::vector<std::string> jails(listener.jails.begin(), listener.jails.end());
  return same + Joined(jails);
}

// NeverAsked is a server that ended the handshake without a question to the broker.
Verdict NeverAsked(const policy::Listener& listener, const KeyTarget& target,
                   const Problem& problem, const BrokerView& after) {
  const std::string type(cryptoki::KeyTypeName(target.type));
  std::string text = problem.text;
  if (problem.alert == SSL_AD_HANDSHAKE_FAILURE) {
    text += ": it has no " + type + " key, or no cipher suite or group for it. ";
  } else {
    text += ". ";
  }
  if (after.answers) {
    text += "The broker was not asked for a signature by this listener" + Jailed(listener) + ". ";
  }
  return {false, std::string(FaultWord(problem.fault)), text + kUnsupported};
}

Verdict AskedInVain(const policy::Listener& listener, const Problem& problem,
                    const BrokerView& after, bool denied) {
  std::string text = problem.text + ": the broker ";
  text += denied ? "refused the signature, most often because the process runs as a user that the "
                   "listener does not name (it names " +
                       Joined(listener.users) +
                       "), or because its reference is of another generation than the current one "
                       "(`keybroker listener config` writes it again)."
                 : "could not have it signed." + TokensAway(after.status);
  return {false, denied ? "broker-refused" : kTokenFailed,
          text + " `keybroker audit show --last 5` shows who asked for what"};
}

}  // namespace

BrokerView BrokerView::Ask(const config::Settings& settings, const std::string& listener) {
  BrokerView view;
  const auto text = broker::AskBroker(settings, wire::AdminVerb::kStatus);
  if (!text) {
    view.away = text.error().code == ErrorCode::kUnavailable;
    view.detail = text.error().detail;
    return view;
  }
  view.status = Json::parse(*text, nullptr, false);
  view.pid = GetNumber(view.status, "pid");
  const auto listeners = view.status.find("listeners");
  if (!view.status.is_object() || listeners == view.status.end()) return view;
  for (const Json& one : *listeners) {
    if (GetText(one, "name") != listener) continue;
    view.answers = true;
    view.signatures = GetNumber(one, "signatures");
    view.denied = GetNumber(one, "denied");
    view.failed = GetNumber(one, "failed");
  }
  if (!view.answers) {
    view.detail = "the broker does not know the listener \"" + listener + "\": `keybroker reload`";
  }
  return view;
}

Verdict Explain(const config::Settings& settings, const policy::Listener& listener,
                const KeyTarget& target, const Problem& problem, const BrokerView& before,
                const BrokerView& after) {
  const std::string word(FaultWord(problem.fault));
  if (problem.fault == Fault::kVersionRefused) {
    return {false, word,
            problem.text +
                ": it has that version of TLS switched off. --tls checks "
                "the other one alone"};
  }
  // One that was refused as it loaded its key may have said so in any way.
  const bool denied = after.denied > before.denied;
  if (!denied && IsOfServer(problem.fault) && problem.fault != Fault::kNoStartTls) {
    const std::string away = after.away ? ". No broker is running either (" + after.detail +
                                              "), and most servers do not start without their key"
                                        : "";
    return {false, word, problem.text + away};
  }
  if (after.away) {
    return {
        false, "broker-away",
        problem.text + ": no broker is running, so nothing can be signed (" + after.detail + ")"};
  }
  if (!after.answers && after.status.is_object()) {
    return {false, "broker-refused", problem.text + ": " + after.detail};
  }
  if (const auto refusal = PolicyRefuses(settings, listener, target); !refusal.text.empty()) {
    return {false, refusal.word, problem.text + ": " + refusal.text};
  }
  if (denied) return AskedInVain(listener, problem, after, true);
  if (after.failed > before.failed) return AskedInVain(listener, problem, after, false);
  return NeverAsked(listener, target, problem, after);
}

}  // namespace keybroker::cli
