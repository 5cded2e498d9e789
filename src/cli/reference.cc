#include <memory>
#include <utility>

#include "cli/change.h"
#include "cli/commands.h"
#include "cli/key_choice.h"
#include "cli/key_tokens.h"
#include "cli/layout.h"
#include "cli/listener_file.h"
#include "cli/output_file.h"
#include "cli/reference_file.h"
#include "cli/rewrite.h"
#include "cli/token_access.h"
#include "keybroker/base/process.h"
#include "keybroker/base/shell_quote.h"

namespace keybroker::cli {
namespace {

struct WriteOptions {
  TokenOptions token;
  std::string name;
  std::string type;
  std::string id;
  std::string listener;
  std::string format = "engine";
  std::string output;
  std::string mode = "0644";
  std::string owner;
  std::string group;
  bool no_chain = false;
};

// FromCurrent needs no token and no PIN: current.toml lists every key that keybroker made.
Result<std::optional<KeyTarget>> FromCurrent(const policy::CurrentKeys& current,
                                             const KeyWish& wish) {
  auto fitting = KnownTargets(current, wish);
  if (fitting.empty()) return std::optional<KeyTarget>();
  if (fitting.size() == 1) return std::optional(std::move(fitting.front()));
  return Fail(Malformed(wish.name + " has an RSA and an EC key: say which with --type"));
}

Result<KeyTarget> FromToken(const config::Settings& settings, const WriteOptions& options,
                            const policy::CurrentKeys& current, const KeyWish& wish) {
  KB_ASSIGN(const auto access, PrepareForKey(settings, options.token, wish));
  KB_ASSIGN(const Json key, access.Run(false, [&](LoggedIn& token) -> Result<Json> {
    KB_ASSIGN(const auto keys, token::ListKeys(token.session));
    KB_ASSIGN(const token::KeyPair* picked, PickKey(keys, current, wish));
    return KeyJson(*picked, IsCurrent(keys, current, *picked));
  }));
  const auto type = cryptoki::ParseKeyType(GetText(key, "type"));
  if (!type) return Fail(Internal("the token's process named no key type"));
  return KeyTarget{wish.name, *type, GetText(key, "id")};
}

Result<KeyTarget> FindTarget(const config::Settings& settings, const WriteOptions& options,
                             const KeyWish& wish) {
  KB_ASSIGN(const auto current, LoadCurrent(settings));
  KB_ASSIGN(const auto known, FromCurrent(current, wish));
  if (known) return *known;
  return FromToken(settings, options, current, wish);
}

Result<OutputRights> Rights(const WriteOptions& options) {
  OutputRights rights;
  KB_ASSIGN(rights.mode, ParseMode(options.mode));
  if (!options.owner.empty()) {
    KB_ASSIGN(const User user, FindUser(options.owner));
    rights.owner.uid = user.uid;
  }
  if (!options.group.empty()) {
    KB_ASSIGN(rights.owner.gid, FindGroup(options.group));
  }
  return rights;
}

Result<std::string> OutputPath(const config::Settings& settings, const WriteOptions& options,
                               const KeyTarget& target) {
  if (!options.output.empty()) return options.output;
  const auto path = ReferenceFile(settings, options.name, target.type, options.listener);
  if (!options.listener.empty()) {
    KB_TRY(MakeDirectory(path.parent_path().parent_path(), "", 0755));
  }
  KB_TRY(MakeDirectory(path.parent_path(), "", 0755));
  return path.string();
}

Result<Answer> ReferenceWrite(const Invocation& invocation, const WriteOptions& options) {
  KB_ASSIGN(const KeyWish wish, MakeWish(options.name, options.type, options.id));
  KB_ASSIGN(const OutputRights rights, Rights(options));
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const ReferenceFormat format, ParseReferenceFormat(options.format));
  Answer answer;
  KB_ASSIGN(const KeyTarget target, FindTarget(settings, options, wish));
  std::string socket;
  if (!options.listener.empty()) {
    KB_ASSIGN(const auto listener, LoadListener(settings, options.listener));
    socket = SocketOf(settings, listener);
    if (!IsBound(listener, target.name, target.type)) {
      const std::string type(cryptoki::KeyTypeName(target.type));
      answer.notes.push_back("warning: the listener \"" + listener.name +
                             "\" may not sign with the " + type + " key " + target.name +
                             ": keybroker listener bind " + listener.name + " " +
                             ShellQuote(target.name) + " --type " + type);
    }
  }
  std::vector<credential::Certificate> chain;
  if (!options.no_chain) {
    KB_ASSIGN(chain, InstalledChain(settings, target));
    for (auto& note : ExpiredNotes(target, chain)) answer.notes.push_back(std::move(note));
    if (chain.empty()) answer.notes.emplace_back(kNoChain);
  }
  KB_ASSIGN(const std::string text, FormatReference(target, socket, format, chain));
  KB_ASSIGN(Change change, Change::Begin(settings));
  KB_ASSIGN(const std::string path, OutputPath(settings, options, target));
  const std::string type(cryptoki::KeyTypeName(target.type));
  answer.json = {{"name", wish.name},
                 {"type", type},
                 {"id", target.id_hex},
                 {"socket", socket},
                 {"format", options.format},
                 {"certificates", chain.size()},
                 {"pem", text}};
  KB_TRY(
      WriteOutput(path, text, rights, "the reference to " + wish.name + " (" + type + ")", answer));
  KB_TRY(change.Record({"reference-write", wish.name, target.id_hex, path}, {}));
  return answer;
}

}  // namespace

void AddReference(const Command& root) {
  const Command noun =
      root.Noun("reference", "the key files that listeners read: no secret in them");
  auto options = std::make_shared<WriteOptions>();
  const Command verb =
      noun.Verb("write", "write the PEM file that stands for a key, followed by its chain",
                "keybroker reference write mail.example.test --type rsa --listener smtp");
  verb.Argument("NAME", options->name, "key name, an FQDN")
      .Option("--listener", options->listener, "whose socket the file names; default: none")
      .Option("--type", options->type, "rsa or ec, when the name has both")
      .Option("--id", options->id, "CKA_ID in hexadecimal, for a generation that is not current")
      .Option("--format", options->format,
              "engine (default: keybroker's OpenSSL engine) or provider (pkcs11-provider)")
      .Flag("--no-chain", options->no_chain, "the key alone, although there is a certificate")
      .Option("-o,--output", options->output,
              "file to write, - for standard output; default: references/[LISTENER/]NAME.TYPE.pem "
              "beside keybroker.toml")
      .Option("--mode", options->mode, "mode of the file (default 0644: there is no secret in it)")
      .Option("--owner", options->owner, "owner of the file")
      .Option("--group", options->group, "group of the file");
  AddTokenOptions(verb, options->token);
  verb.Does([options](const Invocation& i) { return ReferenceWrite(i, *options); });
}

}  // namespace keybroker::cli
