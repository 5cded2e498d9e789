#include <algorithm>
#include <ctime>
#include <memory>
#include <system_error>

#include "cli/bound_keys.h"
#include "cli/certificate_commands.h"
#include "cli/layout.h"
#include "cli/listener_check/broker_view.h"
#include "cli/listener_check/handshake.h"
#include "cli/listener_check/verdict.h"
#include "cli/listener_commands.h"
#include "cli/listener_config/recipe.h"
#include "cli/listener_file.h"
#include "keybroker/base/file.h"

namespace keybroker::cli {
namespace {

struct CheckOptions {
  std::string listener;
  std::string kind;
  std::string connect;
  std::string starttls;
  std::string name;
  std::string ca;
  std::string key;
  std::string type;
  std::string tls;
  unsigned timeout = 10;
};

// Plan is what is going to be tried.
struct Plan {
  Address address;
  StartTls starttls = StartTls::kNone;
  std::vector<TlsVersion> versions;
  std::vector<credential::Certificate> anchors;
  std::string name;  // empty: each key's own
  std::chrono::seconds limit{10};
  bool one_key = false;  // the server can serve one type only
};

// Shown is one line of the answer.
struct Shown {
  KeyTarget target;
  TlsVersion version;
  Verdict verdict;
};

Status PlanPlace(const CheckOptions& options, Plan& plan) {
  const Recipe* recipe = nullptr;
  if (!options.kind.empty()) {
    KB_ASSIGN(recipe, FindRecipe(options.kind));
    plan.one_key = !recipe->both_types;
  }
  const bool here = recipe != nullptr && options.connect.empty();
  if (options.connect.empty() && (!here || recipe->port.empty())) {
    return Fail(Malformed("where does the server listen? Say --connect HOST:PORT" +
                          std::string(here ? ", " + std::string(recipe->kind) +
                                                 " has no port of "
                                                 "its own"
                                           : ", or --for KIND for its usual port on this host")));
  }
  plan.address = here ? Address{"localhost", std::string(recipe->port)} : Address{};
  if (!here) {
    KB_ASSIGN(plan.address, ParseAddress(options.connect));
  }
  const std::string usual(here ? recipe->starttls : "");
  KB_ASSIGN(plan.starttls, ParseStartTls(options.starttls.empty() ? usual : options.starttls));
  return {};
}

Result<Plan> MakePlan(const CheckOptions& options) {
  Plan plan;
  KB_TRY(PlanPlace(options, plan));
  if (options.tls.empty() || options.tls == "1.2") plan.versions.push_back(TlsVersion::k12);
  if (options.tls.empty() || options.tls == "1.3") plan.versions.push_back(TlsVersion::k13);
  if (plan.versions.empty()) {
    return Fail(Malformed("\"" + options.tls + "\" is not a version that is checked: 1.2 or 1.3"));
  }
  if (options.timeout < 1 || options.timeout > 60) {
    return Fail(Malformed("--timeout is 1 to 60 seconds"));
  }
  plan.limit = std::chrono::seconds(options.timeout);
  if (!options.name.empty()) KB_TRY(policy::CheckKeyName(options.name));
  plan.name = options.name;
  if (!options.ca.empty()) {
    KB_ASSIGN(const std::string text, ReadFile(options.ca));
    KB_ASSIGN(plan.anchors, ParseFile(text, options.ca));
  }
  return plan;
}

// ServerName is what a client asks for; of a wildcard's names, one.
std::string ServerName(const Plan& plan, const KeyTarget& target) {
  if (!plan.name.empty()) return plan.name;
  return target.name.starts_with("*.") ? "keybroker-check" + target.name.substr(1) : target.name;
}

// FindKey looks an id up among the current keys, the chains of older ones, and the broker's keys.
std::optional<KeyTarget> FindKey(const config::Settings& settings, const Json& status,
                                 const KeyTarget& target, const std::string& id) {
  if (const auto current = LoadCurrent(settings)) {
    for (const auto& [entry, known] : current->ids) {
      if (known == id) return KeyTarget{entry.first, entry.second, id};
    }
  }
  std::error_code error;
  if (std::filesystem::exists(ChainFile(settings, target.name, target.type, id), error)) {
    return KeyTarget{target.name, target.type, id};
  }
  const auto keys = status.find("keys");
  if (keys == status.end() || !keys->is_array()) return std::nullopt;
  for (const Json& key : *keys) {
    const auto type = cryptoki::ParseKeyType(GetText(key, "type"));
    if (GetText(key, "id") == id && type) return KeyTarget{GetText(key, "name"), *type, id};
  }
  return std::nullopt;
}

// Check holds what the handshakes of one command have in common.
class Check {
 public:
  Check(const config::Settings& settings, const policy::Listener& listener, const Plan& plan)
      : settings_(settings), listener_(listener), plan_(plan), broker_(Ask()), first_(broker_) {}

  // Run tries every key with every version, until the server as a whole is found at fault.
  Result<std::vector<Shown>> Run(const std::vector<KeyTarget>& targets) {
    std::vector<Shown> all;
    for (const KeyTarget& target : targets) {
      for (const TlsVersion version : plan_.versions) {
        KB_ASSIGN(Verdict verdict, Try(target, version));
        all.push_back({target, version, std::move(verdict)});
        if (stopped_) return all;
      }
    }
    if (plan_.one_key) ForgiveTheOtherType(all);
    return all;
  }

  // ThroughBroker says whether the handshakes were signed for this listener.
  std::optional<Verdict> ThroughBroker() const {
    if (made_ == 0) return std::nullopt;
    if (broker_.away) {
      return Verdict{false, "not-through-broker",
                     "no broker is running, yet the server signs: it has a copy of the key, or "
                     "reaches the token by itself"};
    }
    if (!broker_.answers) return std::nullopt;
    const int64_t counted = broker_.signatures - first_.signatures;
    if (counted >= made_) return std::nullopt;
    return Verdict{false, "not-through-broker",
                   "the server made " + std::to_string(made_) + " signatures, and the broker " +
                       std::to_string(counted) +
                       " for this listener: the server has a copy of the "
                       "key, or its reference names the socket of another listener"};
  }

  const BrokerView& broker() const { return broker_; }
  int64_t made() const { return made_; }

 private:
  BrokerView Ask() const { return BrokerView::Ask(settings_, listener_.name); }

  Result<Verdict> Try(const KeyTarget& target, TlsVersion version) {
    KB_ASSIGN(auto installed, InstalledChain(settings_, target));
    const std::string name = ServerName(plan_, target);
    const auto served =
        ShakeHands({plan_.address, plan_.starttls, name, version, target.type, plan_.limit});
    const BrokerView before = broker_;
    broker_ = Ask();
    if (!served) {
      stopped_ = IsOfServer(served.error().fault);
      return Explain(settings_, listener_, target, served.error(), before, broker_);
    }
    ++made_;
    return Judge(
        {target, std::move(installed), name, std::time(nullptr), plan_.anchors,
         [&](const std::string& id) { return FindKey(settings_, broker_.status, target, id); }},
        *served);
  }

  // A server with one key cannot answer for the other type: that alone is no fault.
  static void ForgiveTheOtherType(std::vector<Shown>& all) {
    for (Shown& one : all) {
      const bool other_works = std::any_of(all.begin(), all.end(), [&](const Shown& other) {
        return other.target.type != one.target.type && other.verdict.word == "ok";
      });
      if (one.verdict.word != FaultWord(Fault::kRefused) || !other_works) continue;
      one.verdict = {true, "one-key", "this kind of server serves one key, and it is the other"};
    }
  }

  const config::Settings& settings_;
  const policy::Listener& listener_;
  const Plan& plan_;
  BrokerView broker_;
  const BrokerView first_;
  int64_t made_ = 0;
  bool stopped_ = false;
};

Json ShownJson(const Shown& one) {
  return {{"tls", TlsVersionName(one.version)},
          {"key", one.target.name},
          {"type", cryptoki::KeyTypeName(one.target.type)},
          {"id", one.target.id_hex},
          {"good", one.verdict.good},
          {"finding", one.verdict.word},
          {"text", one.verdict.text}};
}

Answer Report(const CheckOptions& options, const Plan& plan, const std::vector<Shown>& all,
              const Check& check) {
  Answer answer;
  answer.json = {{"listener", options.listener},
                 {"address", plan.address.host + ":" + plan.address.port},
                 {"handshakes", Json::array()}};
  std::vector<std::vector<std::string>> rows;
  for (const Shown& one : all) {
    answer.good = answer.good && one.verdict.good;
    answer.json["handshakes"].push_back(ShownJson(one));
    rows.push_back({"TLS " + TlsVersionName(one.version), one.target.name,
                    std::string(cryptoki::KeyTypeName(one.target.type)), one.verdict.word,
                    one.verdict.text});
  }
  answer.text = Columns(rows);
  const auto through = check.ThroughBroker();
  answer.json["broker"] = through ? through->word : check.broker().answers ? "ok" : "unknown";
  if (through) {
    answer.good = false;
    answer.json["broker_text"] = through->text;
    answer.text += through->text + "\n";
  } else if (check.broker().answers && check.made() > 0) {
    answer.text += "the broker made these signatures for the listener " + options.listener + "\n";
  } else if (!check.broker().answers && check.made() > 0) {
    answer.notes.push_back("whether the signatures came through the broker is not known: " +
                           check.broker().detail);
  }
  answer.json["good"] = answer.good;
  return answer;
}

Result<Answer> ListenerCheck(const Invocation& invocation, const CheckOptions& options) {
  KB_ASSIGN(const Plan plan, MakePlan(options));
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const auto listener, LoadListener(settings, options.listener));
  KB_ASSIGN(const auto targets, BoundKeys(settings, listener, options.key, options.type));
  Check check(settings, listener, plan);
  KB_ASSIGN(const auto shown, check.Run(targets));
  return Report(options, plan, shown, check);
}

}  // namespace

void AddListenerCheck(const Command& noun) {
  auto options = std::make_shared<CheckOptions>();
  const Command verb = noun.Verb(
      "check",
      "shake hands with the running server, by TLS 1.2 and 1.3 and each key, and say whether it "
      "serves what is bound (exit status 0: it does; 1: it does not, or cannot be reached)",
      "keybroker listener check smtp --connect mail.example.test:25 --starttls smtp");
  verb.Argument("NAME", options->listener, "the listener's name")
      .Option("--for", options->kind, "its usual port on this host: " + RecipeKinds())
      .Option("--connect", options->connect, "HOST:PORT of the server")
      .Option("--starttls", options->starttls,
              "smtp, imap, pop3 or nntp; else TLS from the first byte, or as usual with --for")
      .Option("--name", options->name, "server name to ask for; default: the key's name")
      .Option("--ca", options->ca, "file with the CA's root, to verify the served chain to it")
      .Option("--key", options->key, "one key name only")
      .Option("--type", options->type, "rsa or ec only")
      .Option("--tls", options->tls, "1.2 or 1.3 only")
      .Option("--timeout", options->timeout, "seconds for each handshake, 1 to 60 (default 10)");
  verb.Does([options](const Invocation& i) { return ListenerCheck(i, *options); });
}

}  // namespace keybroker::cli
