#include <memory>
#include <optional>
#include <utility>

#include "cli/backup_record.h"
#include "cli/change.h"
#include "cli/key_birth.h"
#include "cli/key_choice.h"
#include "cli/key_commands.h"
#include "cli/key_text.h"
#include "cli/token_access.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/joined.h"
#include "keybroker/base/shell_quote.h"
#include "keybroker/policy/listener.h"
#include "keybroker/token/key_wrap.h"

namespace keybroker::cli {
namespace {

struct GenerateOptions {
  TokenOptions token;
  std::string name;
  std::string type = "ec";
  unsigned bits = 0;
  std::string curve;
  bool exportable = false;
  bool new_generation = false;
  BirthOptions birth;
};

Result<uint32_t> CurveBits(const std::string& curve) {
  if (curve == "P-256") return 256U;
  if (curve == "P-384") return 384U;
  if (curve == "P-521") return 521U;
  return Fail(WrongUsage("\"" + curve + "\" is not a curve: P-256, P-384 or P-521"));
}

Result<token::KeySpec> Spec(const GenerateOptions& options) {
  token::KeySpec spec;
  KB_TRY(policy::CheckKeyName(options.name));
  if (options.name.find('.') == std::string::npos) {
    return Fail(Malformed("the key name \"" + options.name +
                          "\" has no dot: give the full name that clients connect to and the "
                          "certificate will have, such as " +
                          options.name + ".example.org"));
  }
  spec.label = options.name;
  spec.exportable = options.exportable;
  KB_ASSIGN(spec.type, ParseType(options.type));
  const bool is_rsa = spec.type == cryptoki::KeyType::kRsa;
  if (is_rsa && !options.curve.empty()) return Fail(WrongUsage("--curve is for --type ec"));
  if (!is_rsa && options.bits != 0) return Fail(WrongUsage("--bits is for --type rsa"));
  spec.bits = options.bits == 0 ? 2048U : options.bits;
  if (!is_rsa) {
    KB_ASSIGN(spec.bits, CurveBits(options.curve.empty() ? "P-256" : options.curve));
  }
  if (const Status checked = token::CheckKeySpec(spec); !checked) {
    return Fail(WrongUsage(checked.error().detail));
  }
  return spec;
}

// OlderIds lists the generations there are, and refuses to go on when that was not expected.
Result<Json> OlderIds(const token::KeyList& keys, const token::KeySpec& spec, bool new_generation) {
  Json ids = Json::array();
  for (const auto& key : keys.keys) {
    if (key.label != spec.label || key.type != spec.type) continue;
    if (!new_generation) {
      return Fail(Conflict("the key " + Describe(key) +
                           " exists. It was left as it is: --new-generation makes another one, "
                           "which `keybroker key current` puts into use"));
    }
    ids.push_back(Hex(key.id));
  }
  return ids;
}

// LetsBeMade is that question alone.
KeysCheck LetsBeMade(const GenerateOptions& options, const token::KeySpec& spec) {
  return [&options, &spec](const token::KeyList& keys) -> Status {
    KB_TRY(OlderIds(keys, spec, options.new_generation));
    return {};
  };
}

// KeepOlderCurrent writes down which key is current before there is a second: a name with two keys
// and no current one would be shown to no listener.
Status KeepOlderCurrent(const config::Settings& settings, const token::KeySpec& spec,
                        const Json& older) {
  KB_ASSIGN(auto current, LoadCurrent(settings));
  if (older.size() != 1 || current.ids.contains({spec.label, spec.type})) return {};
  current.ids[{spec.label, spec.type}] = older[0].get<std::string>();
  return StoreCurrent(settings, current);
}

// MakeCurrent writes down that the key is the one in use, unless another is.
Result<bool> MakeCurrent(const config::Settings& settings, const token::KeySpec& spec,
                         const std::string& id) {
  KB_ASSIGN(auto current, LoadCurrent(settings));
  if (!current.ids.try_emplace({spec.label, spec.type}, id).second) return false;
  KB_TRY(StoreCurrent(settings, current));
  return true;
}

Error MadeButNotCurrent(const token::KeySpec& spec, const std::string& id, Error error) {
  error.detail = "the key " + spec.label + " (id " + id +
                 ") was made and is on the token, but that it is the current one could not be "
                 "written down: " +
                 error.detail + ". Then run `keybroker key current " + ShellQuote(spec.label) +
                 " --id " + id + "`, and do not generate it again";
  return error;
}

// CheckWraps refuses before anything is made: an exportable key that no backup can be made of is
// weaker for nothing.
Status CheckWraps(const LoggedIn& token) {
  std::vector<std::string> evidence;
  if (!token::ProbeWrap(token.session, &evidence).empty()) return {};
  const bool lets_in = !token::ProbeUnwrap(token.session).empty();
  return Fail(TokenFailed(
      "the token \"" + token.config.name + "\" wraps keys in no way that keybroker knows (" +
      Joined(evidence) + "), so no backup could be made. Leave --exportable out, and " +
      (lets_in ? "say --backup-at-birth FILE: the token lets keys in, so that one can be made with "
                 "its backup outside it"
               : "back the token up by its vendor's own means")));
}

Result<Json> Generate(const TokenAccess& access, const GenerateOptions& options,
                      const token::KeySpec& spec) {
  return access.Run(true, [&](LoggedIn& token) -> Result<Json> {
    KB_ASSIGN(const auto keys, token::ListKeys(token.session));
    KB_TRY(OlderIds(keys, spec, options.new_generation));
    if (spec.exportable) KB_TRY(CheckWraps(token));
    KB_ASSIGN(const auto key, token::GenerateKey(token.session, token.profile, spec));
    return KeyJson(key, false);
  });
}

// Made is a key that is on the token, and what there is to say of its birth.
struct Made {
  Json key;
  std::optional<Born> born;  // with --backup-at-birth
};

// Make makes the key on the token, or outside it with its backup.
Result<Made> Make(Change& change, const TokenAccess& access, const GenerateOptions& options,
                  const token::KeySpec& spec, const std::optional<Birth>& birth) {
  Made made;
  if (!birth) {
    KB_ASSIGN(made.key, Generate(access, options, spec));
    return made;
  }
  KB_ASSIGN(made.born, MakeBorn(change, access, spec, *birth, LetsBeMade(options, spec)));
  made.key = made.born->key;
  return made;
}

// TellOfBirth adds what became of the backup to the answer, and to the record.
void TellOfBirth(const Born& born, const std::string& token, Answer& answer, ChangeRecord& record) {
  const std::string file = GetText(born.backup, "file");
  record.detail += ", out of the backup at birth; " + ExposureText(born.exposure) + "; " +
                   RecordedFile(file, GetText(born.backup, "sha256"));
  answer.text = BornText(born, token) + answer.text +
                "\nthen: copy the backup off this host, and keybroker drill " + ShellQuote(file);
  answer.json["backup"] = born.backup;
  answer.json["exposure"] = born.exposure;
  answer.notes.insert(answer.notes.end(), born.notes.begin(), born.notes.end());
}

// RecordExportable begins the key's backup record, so that doctor asks for one.
Status RecordExportable(const config::Settings& settings, const Json& key) {
  BackupRecord record;
  record.name = GetText(key, "name");
  record.type = GetText(key, "type");
  record.id = GetText(key, "id");
  return StoreBackupRecord(settings, record);
}

Result<Answer> KeyGenerate(const Invocation& invocation, const GenerateOptions& options) {
  KB_ASSIGN(const auto spec, Spec(options));
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_TRY(CheckBirthUse(options.birth, options.exportable));
  KB_ASSIGN(const auto access, TokenAccess::Prepare(settings, options.token));
  std::optional<Birth> birth;
  if (options.birth.Wanted()) {
    KB_ASSIGN(birth, PrepareBirth(settings, access, options.birth, LetsBeMade(options, spec)));
  }
  KB_ASSIGN(Change change, Change::Begin(settings));
  ChangeRecord record{"key-generate", options.name, "", "token " + access.config().name};
  if (options.new_generation) {
    KB_ASSIGN(const Json older, access.Run(false, [&](LoggedIn& token) -> Result<Json> {
      KB_ASSIGN(const auto keys, token::ListKeys(token.session));
      return OlderIds(keys, spec, true);
    }));
    KB_TRY(KeepOlderCurrent(settings, spec, older));
  }
  KB_ASSIGN(Made made,
            Recorded(change, record, [&] { return Make(change, access, options, spec, birth); }));
  Json& key = made.key;
  record.key_id = GetText(key, "id");
  const Result<bool> is_current =
      Recorded(change, record, [&] { return MakeCurrent(settings, spec, record.key_id); });
  if (!is_current) return Fail(MadeButNotCurrent(spec, record.key_id, is_current.error()));
  if (*is_current) key["current"] = true;
  Answer answer = MakeAnswer(GeneratedText(key, access.config().name), {{"key", key}});
  if (made.born) TellOfBirth(*made.born, access.config().name, answer, record);
  // The key is made: a record that cannot be begun is told, and is no failure of it.
  const Status begun = spec.exportable ? RecordExportable(settings, key) : Status();
  if (!begun) answer.notes.push_back("doctor will not ask for its backup: " + begun.error().detail);
  KB_TRY(change.Done(record, answer));
  return answer;
}

}  // namespace

void AddKeyGenerate(const Command& noun) {
  auto options = std::make_shared<GenerateOptions>();
  const Command verb = noun.Verb("generate",
                                 "make a key pair on the token; it never leaves it, but wrapped "
                                 "for a backup where that is asked for now",
                                 "keybroker key generate mail.example.test --type rsa --bits 3072");
  verb.Argument("NAME", options->name, "key name: an FQDN in A-labels, or a wildcard")
      .Option("--type", options->type, "rsa or ec (default ec)")
      .Option("--bits", options->bits, "RSA: 2048 (default), 3072 or 4096")
      .Option("--curve", options->curve, "EC: P-256 (default), P-384 or P-521")
      .Flag("--exportable", options->exportable,
            "let it be wrapped for a backup; cannot be decided later")
      .Flag("--new-generation", options->new_generation,
            "make a further key of a name and type that has one; the older stays current");
  AddBirthOptions(verb, options->birth);
  AddTokenOptions(verb, options->token);
  verb.Does([options](const Invocation& i) { return KeyGenerate(i, *options); });
}

}  // namespace keybroker::cli
