#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "cli/change.h"
#include "cli/key_commands.h"
#include "cli/key_copy_tokens.h"
#include "cli/key_tokens.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/shell_quote.h"
#include "keybroker/credential/certificate.h"
#include "keybroker/token/receiving_key.h"

namespace keybroker::cli {
namespace {

struct CopyOptions {
  TokenOptions from;
  TokenOptions to;
  std::string name;
  std::string type;
  std::string id;
  std::string fingerprint;
  bool exportable = false;
  bool prepare = false;
  bool yes = false;
};

constexpr ArrivalWords kCopyWords{"copied", "other token"};

// Copying is one copy on its way.
struct Copying {
  const config::Settings& settings;
  const CopyOptions& options;
  const TokenAccess& from;
  const TokenAccess& to;
  KeyWish wish;
  Delivery delivery;
  bool foreign_certificate = false;  // the source has one under the key's CKA_ID that is another's
  std::optional<Change> change;      // from the moment that the key may leave
  std::optional<Interruption::Finishing> finishing;  // as long
  std::set<std::string> asked;                       // the target's questions
  std::optional<Json> agreed;                        // its kAgree
  std::string how;                                   // for the records; empty: nothing was agreed

  ChangeRecord Record(const char* action) const {
    return {action, delivery.key.name, Hex(delivery.key.id),
            "from token " + from.config().name + ", to token " + to.config().name +
                (how.empty() ? "" : ", " + how)};
  }
  Status Begin() {
    if (change) return {};
    KB_ASSIGN(change, Change::Begin(settings));
    finishing.emplace();
    return {};
  }
};

Result<Fingerprint> ParseFingerprint(std::string text) {
  if (text.starts_with("SHA256:")) text.erase(0, 7);
  std::erase(text, ':');
  const auto bytes = ParseHex(text);
  Fingerprint fingerprint{};
  if (!bytes || bytes->size() != fingerprint.size()) {
    return Fail(WrongUsage("--fingerprint is a SHA-256 in hexadecimal, 64 digits"));
  }
  std::copy(bytes->begin(), bytes->end(), fingerprint.begin());
  return fingerprint;
}

// ConfirmTarget has the operator agree to the public key that the target's process named.
Status ConfirmTarget(const Copying& copying, const std::string& fingerprint) {
  if (copying.delivery.prepared) {
    if (fingerprint == Hex(*copying.delivery.prepared)) return {};
    return Fail(Denied("the token \"" + copying.to.config().name +
                       "\" named a key with the fingerprint " + fingerprint +
                       ", which is not the one given: nothing was copied"));
  }
  return Confirm("The private key of " + copying.delivery.key.name + " goes from the token \"" +
                     copying.from.config().name + "\" to the token \"" + copying.to.config().name +
                     "\", wrapped for its key with the SHA-256 fingerprint\n  " + fingerprint,
                 fingerprint.substr(0, 8), copying.options.yes);
}

// AgreeTo has the operator agree to the target's key, and takes the lock: what the target sees from
// here on stays so.
Result<Json> AgreeTo(Copying& copying, const Json& question) {
  KB_ASSIGN(const auto spki, ParseHex(GetText(question, "spki")));
  KB_ASSIGN(const auto sha256, token::SpkiSha256(spki));
  const std::string fingerprint = Hex(sha256);
  copying.how = "receiving key " + fingerprint + ", " + GetText(question, "algorithm") +
                ", RSA-OAEP with " + GetText(question, "hash");
  KB_TRY(ConfirmTarget(copying, fingerprint));
  KB_TRY(copying.Begin());
  copying.agreed = question;
  return Json::object();
}

Result<Json> Send(Copying& copying) {
  if (!copying.agreed) return Fail(Conflict("the target asked for the key before it had agreed"));
  auto sent = copying.from.Run(
      false, [&](LoggedIn& source) { return SendKey(source, copying.wish, *copying.agreed); });
  KB_TRY(copying.change->Record(copying.Record("key-copy-from"),
                                sent ? Status() : Status(Fail(sent.error()))));
  return sent;
}

// AnswerTarget is the command's answer to the target's questions, each of which it may ask once.
Result<Json> AnswerTarget(Copying& copying, const Json& question) {
  const std::string step = GetText(question, "step");
  if (!copying.asked.insert(step).second) return Fail(Conflict("the target asked twice"));
  if (step == kAgree) return AgreeTo(copying, question);
  if (step == kSend) return Send(copying);
  if (step != kHold) return NoQuestions(question);
  KB_TRY(copying.Begin());
  return Json::object();
}

Result<ArrivingKey> Arriving(const Json& source, const KeyWish& wish) {
  const Json& key = source["key"];
  ArrivingKey arriving;
  arriving.name = GetText(key, "name");
  KB_ASSIGN(arriving.type, ParseType(GetText(key, "type")));
  if (arriving.name != wish.name || arriving.type != wish.type.value_or(arriving.type)) {
    return Fail(Internal("the token's process gave another key than it was asked for"));
  }
  KB_ASSIGN(arriving.spki, ParseHex(GetText(key, "spki")));
  KB_ASSIGN(arriving.id, token::SubjectKeyId(arriving.spki));
  KB_ASSIGN(const auto der, ParseHex(GetText(source, "certificate")));
  if (der.empty()) return arriving;
  KB_ASSIGN(auto leaf, credential::ParseCertificate(der));
  // One that another program put under its CKA_ID is none of this key.
  if (leaf.spki == arriving.spki) arriving.chain.push_back(std::move(leaf));
  return arriving;
}

// KeepCurrent writes down that the key is the one in use, where it was so for being the only one.
Status KeepCurrent(const config::Settings& settings, const ArrivingKey& key, bool is_current) {
  if (!is_current) return {};
  KB_ASSIGN(auto current, LoadCurrent(settings));
  if (!current.ids.try_emplace({key.name, key.type}, Hex(key.id)).second) return {};
  return StoreCurrent(settings, current);
}

Result<Answer> FinishCopy(Copying& copying, const Json& outcome, bool is_current) {
  const bool present = GetBool(outcome, "present");
  ChangeRecord record = copying.Record("key-copy-to");
  if (present) record.detail += ", already there";
  const std::string& target = copying.to.config().name;
  Answer answer = MakeAnswer(ArrivalText(outcome, copying.delivery.key, target, kCopyWords),
                             {{"from", copying.from.config().name},
                              {"to", target},
                              {"how", copying.how},
                              {"present", outcome["present"]},
                              {"completed", outcome["completed"]},
                              {"differences", outcome["differences"]},
                              {"key", outcome["key"]}});
  answer.notes = RemovedNotes(outcome);
  if (copying.foreign_certificate) {
    answer.notes.push_back("the certificate that the token \"" + copying.from.config().name +
                           "\" has under its CKA_ID is of another key, and was left out");
  }
  if (!present) {
    KB_TRY(Recorded(*copying.change, record, [&] {
      return KeepCurrent(copying.settings, copying.delivery.key, is_current);
    }));
    answer.json["key"]["current"] = is_current;
    const std::string& source = copying.from.config().name;
    const std::string key = ShellQuote(copying.delivery.key.name) + " --type " +
                            std::string(cryptoki::KeyTypeName(copying.delivery.key.type));
    answer.text += copying.how + "\nit is " + (copying.delivery.key.exportable ? "" : "not ") +
                   "exportable from there" + "\nit is still on the token \"" + source +
                   "\" too, and counts as that one's backup after: keybroker backup record "
                   "--external " +
                   key + " --token " + source + " --at " + target +
                   " --note \"key copy\"; keybroker drill --external " + key;
  }
  KB_TRY(copying.change->Done(record, answer));
  return answer;
}

// WhichSource is what was said of the key and where it is, to be said again.
std::string WhichSource(const CopyOptions& options) {
  std::string text;
  if (!options.type.empty()) text += " --type " + options.type;
  if (!options.id.empty()) text += " --id " + options.id;
  if (!options.from.token.empty()) text += " --from " + options.from.token;
  return text;
}

Result<Answer> Prepare(const config::Settings& settings, const CopyOptions& options,
                       const TokenAccess& to) {
  KB_ASSIGN(Change change, Change::Begin(settings));
  ChangeRecord record{"key-copy-prepare", options.name, "", "token " + to.config().name};
  KB_ASSIGN(const Json made, Recorded(change, record, [&] { return to.Run(true, PrepareTarget); }));
  const std::string fingerprint = GetText(made, "fingerprint");
  record.detail += ", receiving key " + fingerprint;
  Answer answer = MakeAnswer("the token \"" + to.config().name +
                                 "\" made a key to receive one, with the SHA-256 fingerprint\n  " +
                                 fingerprint +
                                 "\ncheck it by the token's own means, then: keybroker key copy " +
                                 ShellQuote(options.name) + WhichSource(options) + " --to " +
                                 to.config().name + " --fingerprint " + fingerprint,
                             made);
  KB_TRY(change.Record(record, {}));
  return answer;
}

// OnSource says which token it was that has no such key: the target may have it.
Error OnSource(Error error, const std::string& source) {
  if (error.code == ErrorCode::kNotFound) {
    error.detail = "the token \"" + source + "\", which it would be copied from: " + error.detail;
  }
  return error;
}

// OrThereAlready says of a copy that cannot be made whether it is needed: the target may have such
// a key, which only a copy that can be made is compared with.
Error OrThereAlready(Error error, const config::Settings& settings, const TokenAccess& to,
                     const KeyWish& wish) {
  if (Shows(to, settings, wish)) {
    error.detail = "the token \"" + to.config().name + "\" has a key " + wish.name +
                   " already, and nothing was changed (`keybroker key list` shows whether its id "
                   "is the one that is meant). No other could be copied: " +
                   error.detail;
  }
  return error;
}

Status CheckOptions(const config::Settings& settings, const CopyOptions& options) {
  if (options.from.token == options.to.token) {
    return Fail(WrongUsage("--from and --to name the same token"));
  }
  if (options.prepare && (!options.fingerprint.empty() || options.exportable || options.yes)) {
    return Fail(
        WrongUsage("--prepare copies nothing yet: --fingerprint, --exportable and --yes "
                   "are for the copy"));
  }
  if (!options.exportable || settings.backup_restore_exportable) return {};
  return Fail(
      Denied("the administrator does not allow keys from elsewhere to be exportable: "
             "restore_exportable in [backup] of " +
             settings.file.string() + " would"));
}

// Deliver has the target fetch the key, and sign.
Result<Json> Deliver(Copying& copying) {
  KB_ASSIGN(Json outcome,
            copying.to.Run(
                true, {}, [&](LoggedIn& token) { return ReceiveOnTarget(token, copying.delivery); },
                [&](const Json& question) { return AnswerTarget(copying, question); }));
  KB_TRY(CheckArrived(outcome, copying.delivery.key, copying.delivery.challenge));
  return outcome;
}

Result<Answer> KeyCopy(const Invocation& invocation, const CopyOptions& options) {
  KB_ASSIGN(KeyWish wish, MakeWish(options.name, options.type, options.id));
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_TRY(CheckOptions(settings, options));
  KB_ASSIGN(const auto to, TokenAccess::Prepare(settings, options.to));
  if (options.prepare) return Prepare(settings, options, to);
  Delivery delivery;
  if (!options.fingerprint.empty()) {
    KB_ASSIGN(delivery.prepared, ParseFingerprint(options.fingerprint));
  }
  KB_ASSIGN(const auto current, LoadCurrent(settings));
  const auto from = PrepareForKey(settings, options.from, wish, options.to.token);
  if (!from) return Fail(OrThereAlready(from.error(), settings, to, wish));
  auto looked =
      from->Run(false, [&](LoggedIn& token) { return LookAtSource(token, current, wish); });
  if (!looked) {
    return Fail(OrThereAlready(OnSource(looked.error(), from->config().name), settings, to, wish));
  }
  const Json source = std::move(*looked);
  KB_ASSIGN(delivery.key, Arriving(source, wish));
  delivery.key.exportable = options.exportable;
  wish.id = GetText(source["key"], "id");  // the very key that was looked at
  delivery.ways = source["ways"];
  auto identity = ParseIdentity(source["token"]);
  if (!identity) return Fail(Internal("the token's process gave an answer that does not fit"));
  delivery.token = std::move(*identity);
  const bool foreign = delivery.key.chain.empty() && !GetText(source, "certificate").empty();
  KB_ASSIGN(delivery.challenge, NewChallenge());
  Copying copying{settings, options, *from, to, wish, std::move(delivery),
                  foreign,  {},      {},    {}, {},   ""};
  const auto outcome = Deliver(copying);
  KB_TRY(copying.Begin());
  if (outcome) return FinishCopy(copying, *outcome, GetBool(source["key"], "current"));
  KB_TRY(copying.change->Record(copying.Record("key-copy-to"), Fail(outcome.error())));
  return Fail(outcome.error());
}

}  // namespace

void AddKeyCopy(const Command& noun) {
  auto options = std::make_shared<CopyOptions>();
  options->from.word = TokenWord::kFrom;
  const Command verb = noun.Verb(
      "copy",
      "copy an exportable key to another token, wrapped by the one for the other: this host sees "
      "no key. It signs there before it counts. docs/key-copy.md",
      "keybroker key copy mail.example.test --to standby");
  verb.Argument("NAME", options->name, "key name, an FQDN")
      .Required("--to", options->to.token, "the token that gets it")
      .Option("--from", options->from.token, "the token that has it, when several have")
      .Option("--type", options->type, "rsa or ec, when the name has both")
      .Option("--id", options->id, "CKA_ID in hexadecimal, for a generation that is not current")
      .Flag("--prepare", options->prepare,
            "only make the key on the target that the copy is wrapped for, and print its "
            "fingerprint to be checked by the token's own means")
      .Option("--fingerprint", options->fingerprint,
              "SHA-256 of that prepared key; without it one is made for this copy, shown, and "
              "confirmed")
      .Flag("--yes", options->yes, "do not ask to type the fingerprint's beginning")
      .Flag("--exportable", options->exportable,
            "let it be backed up from there too; [backup] restore_exportable must allow it");
  AddPinOptions(verb, options->from.pin);
  options->to.pin.stem = "to-pin";
  verb.Option("--to-pin-file", options->to.pin.file,
              "read the target's PIN from a file's first line (mode 0600)")
      .Option("--to-pin-fd", options->to.pin.fd,
              "read it from an open file descriptor's first line");
  verb.Does([options](const Invocation& i) { return KeyCopy(i, *options); });
}

}  // namespace keybroker::cli
