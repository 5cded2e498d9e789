#include "cli/key_birth.h"

#include <algorithm>
#include <utility>

#include "cli/backup_export_way.h"
#include "cli/backup_input.h"
#include "cli/backup_password.h"
#include "cli/backup_subject.h"
#include "keybroker/base/joined.h"

namespace keybroker::cli {
namespace {

using token::WrapAlgorithm;

// CheckFormat: the key signs a CMS backup with its certificate, which none has at birth.
Status CheckFormat(const config::Settings& settings, const std::string& text) {
  KB_ASSIGN(const auto format, ChooseFormat(settings, text.empty() ? "pkcs12" : text));
  if (format == backup::FileFormat::kPkcs12) return {};
  return Fail(
      Conflict("a CMS backup is signed by the key with its certificate, and a key that is "
               "being made has none: --format pkcs12"));
}

Result<std::filesystem::path> CheckOutput(const std::string& text) {
  if (text == "-") {
    return Fail(WrongUsage("a backup goes to a file, which is read back: --backup-at-birth FILE"));
  }
  const auto path = std::filesystem::absolute(text).lexically_normal();
  std::error_code none;  // what cannot be looked at is refused when it is written
  if (std::filesystem::is_directory(path, none)) return path;
  if (std::filesystem::exists(path, none)) {
    return Fail(
        Conflict(path.string() + " exists: no backup is ever overwritten. No key was made"));
  }
  const auto parent = std::filesystem::status(path.parent_path(), none).type();
  using std::filesystem::file_type;
  if (parent == file_type::directory || parent == file_type::none) return path;
  return Fail(NotFound("there is no directory " + path.parent_path().string() +
                       " for the backup: make it (mkdir -m 700). No key was made"));
}

Result<Json> LookAtTarget(LoggedIn& token, const KeysCheck& check) {
  KB_ASSIGN(const auto keys, token::ListKeys(token.session));
  KB_TRY(check(keys));
  std::vector<std::string> evidence;
  Json unwraps = Json::array();
  for (const auto& how : token::ProbeUnwrap(token.session, &evidence)) {
    unwraps.push_back(token::WrapAlgorithmName(how.algorithm));
  }
  return Json{{"token", TokenInfoJson(token.token.info())},
              {"wraps", !token::ProbeWrap(token.session).empty()},
              {"unwraps", std::move(unwraps)},
              {"evidence", Joined(evidence)}};
}

Error WrapsItself(const std::string& token) {
  return Conflict("the token \"" + token +
                  "\" wraps keys itself, so that none has to be made outside it: `keybroker key "
                  "generate --exportable`, then `keybroker backup export`, shows the key to this "
                  "host at no time. No key was made. --force makes it outside all the same");
}

Error LetsNoneIn(const std::string& token, const std::string& evidence) {
  return TokenFailed("the token \"" + token +
                     "\" neither wraps nor unwraps keys in any way that keybroker knows (" +
                     evidence +
                     "), so that no backup of a key of it can be made or restored. No key was "
                     "made. What remains: a key without a backup of keybroker's (leave "
                     "--backup-at-birth out), the token's own means of cloning or backup, and "
                     "`keybroker backup record --external` to put that on record");
}

// Allowed are those of the token's algorithms that the operator may mean.
Result<std::vector<WrapAlgorithm>> Allowed(const Json& target, const std::string& token,
                                           std::optional<WrapAlgorithm> asked) {
  std::vector<WrapAlgorithm> allowed;
  const Json& unwraps = target["unwraps"];
  for (const auto each : {WrapAlgorithm::kAesKeyWrapPad, WrapAlgorithm::kAesCbcPad}) {
    const bool can =
        std::find(unwraps.begin(), unwraps.end(), token::WrapAlgorithmName(each)) != unwraps.end();
    if (can && asked.value_or(each) == each) allowed.push_back(each);
  }
  if (!allowed.empty()) return allowed;
  const std::string evidence = GetText(target, "evidence");
  if (unwraps.empty()) return Fail(LetsNoneIn(token, evidence));
  return Fail(TokenFailed("the token \"" + token +
                          "\" does not unwrap keys by that --encryption (" + evidence +
                          "): leave it out. No key was made"));
}

}  // namespace

void AddBirthOptions(const Command& command, BirthOptions& options) {
  command
      .Option("--backup-at-birth", options.output,
              "for a token that lets keys in and none out: make the key in a scratch token in this "
              "host's memory, write its backup to this new file (or into this directory), and "
              "import it from there; not exportable afterwards")
      .Flag("--generate", options.generate, "with it: make the backup's password, and show it once")
      .Option("--format", options.format, "with it: pkcs12, the only one that needs no certificate")
      .Option("--encryption", options.encryption,
              "with it: key-wrap or cbc; default: what both tokens can")
      .Option("--scratch-module", options.module,
              "with it: SoftHSM2's module, for the scratch token")
      .Flag("--force", options.force, "with it: also for a token that wraps keys itself");
  AddPasswordOptions(command, options.password);
}

Status CheckBirthUse(const BirthOptions& options, bool exportable) {
  if (options.Wanted() && exportable) {
    return Fail(
        WrongUsage("--backup-at-birth makes a key that is not exportable: it excludes "
                   "--exportable"));
  }
  const bool other = options.generate || options.force || options.password.Given() ||
                     !options.format.empty() || !options.encryption.empty() ||
                     options.module != BirthOptions().module;
  if (options.Wanted() || !other) return {};
  return Fail(
      WrongUsage("--password-file, --password-fd, --generate, --format, --encryption, "
                 "--scratch-module and --force are for --backup-at-birth"));
}

Result<Birth> PrepareBirth(const config::Settings& settings, const TokenAccess& access,
                           const BirthOptions& options, const KeysCheck& check) {
  KB_ASSIGN(const auto asked, ParseEncryption(options.encryption));
  KB_TRY(CheckFormat(settings, options.format));
  Birth birth;
  KB_ASSIGN(birth.output, CheckOutput(options.output));
  birth.module = options.module;
  // Read-write, so that a token that is write-protected is told of now.
  KB_ASSIGN(const Json target,
            access.Run(true, [&](LoggedIn& token) { return LookAtTarget(token, check); }));
  const std::string& name = access.config().name;
  if (GetBool(target, "wraps") && !options.force) return Fail(WrapsItself(name));
  KB_ASSIGN(birth.algorithms, Allowed(target, name, asked));
  birth.token = target["token"];
  KB_ASSIGN(birth.password, NewBackupPassword(settings, options.password, options.generate));
  return birth;
}

std::string ExposureText(const Json& exposure) {
  return "the key was made by a " + GetText(exposure, "token") +
         ", which is software, and was in the clear in its process alone, and in no file, for " +
         std::to_string(GetNumber(exposure, "ms")) +
         " ms at most; that process has ended, and its folder is gone";
}

std::string BornText(const Born& born, const std::string& token) {
  const std::string name = GetText(born.key, "name");
  return "wrote and read back the backup of " + name + "\n" + BackupText(born.backup) + "  " +
         EmergencyWay(GetText(born.backup, "file"), backup::FileFormat::kPkcs12) +
         "\nexposure: " + ExposureText(born.exposure) + "\nthe token \"" + token +
         "\" unwrapped the key out of that file, and the key signed there\n";
}

}  // namespace keybroker::cli
