#include "cli/backup_input.h"

#include <filesystem>

#include "cli/backup_record.h"
#include "cli/change.h"
#include "keybroker/backup/cms.h"
#include "keybroker/base/file.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/printable.h"
#include "keybroker/base/shell_quote.h"

namespace keybroker::cli {
namespace {

using backup::Defect;

// VerifiedBefore is when exactly these bytes were last verified, or 0.
int64_t VerifiedBefore(const BackupInput& input, const config::Settings& settings) {
  const auto claim = backup::ReadBackup(input.bytes);
  if (!claim) return 0;
  const auto record = LoadBackupRecord(settings, Hex(claim->manifest.id));
  return record ? record->VerifiedAt(input.sha256) : 0;
}

}  // namespace

Result<BackupInput> ReadBackupInput(const std::string& path) {
  BackupInput input;
  std::error_code error;
  input.path = std::filesystem::absolute(path, error).lexically_normal();
  // What is too large is read all the same, so that it is said to be that.
  KB_ASSIGN(input.bytes, ReadFile(path, 64 * backup::kMaxFile));
  input.sha256 = backup::FileSha256(input.bytes);
  return input;
}

Result<std::optional<config::Settings>> SettingsIfAny(const Invocation& invocation) {
  auto settings = invocation.Settings();
  if (settings) return std::optional(std::move(*settings));
  if (settings.error().code == ErrorCode::kNotFound) return std::optional<config::Settings>();
  return Fail(settings.error());
}

bool IsOpenersFault(Defect defect) {
  return defect == Defect::kPassword || defect == Defect::kNoRecipient;
}

std::string DefectText(const BackupInput& input, const backup::FileError& error,
                       const std::optional<config::Settings>& settings) {
  if (error.defect != Defect::kPassword || !settings) return error.detail;
  const int64_t verified = VerifiedBefore(input, *settings);
  if (verified == 0) return error.detail;
  return "the password is wrong: the file is byte for byte the one that was verified at " +
         credential::FormatTime(verified);
}

std::string DefectCode(const BackupInput& input, const backup::FileError& error,
                       const std::optional<config::Settings>& settings) {
  const bool known =
      error.defect == Defect::kPassword && settings && VerifiedBefore(input, *settings) != 0;
  return known ? "wrong-password" : std::string(backup::DefectName(error.defect));
}

Answer RefusedBackup(const BackupInput& input, const backup::FileError& error,
                     const std::optional<config::Settings>& settings) {
  std::string text = DefectText(input, error, settings);
  if (error.defect == backup::Defect::kNotABackup) {
    text += ". A key file of another program comes onto a token with `keybroker key import " +
            ShellQuote(input.path) + "`";
  } else if (error.defect == Defect::kTruncated || error.defect == Defect::kDamaged ||
             error.defect == Defect::kSignature) {
    text += ". Use another copy of the file";
  }
  Answer answer;
  answer.good = false;
  answer.exit_when_not_good = static_cast<int>(error.defect);
  answer.json["file"] = input.path;
  answer.json["sha256"] = input.sha256;
  answer.json["error"] = {{"code", DefectCode(input, error, settings)}, {"message", text}};
  answer.notes.push_back(EscapeUnprintable(input.path + ": " + text));
  return answer;
}

void RecordRefusal(const config::Settings& settings, std::string_view action,
                   const BackupInput& input, const backup::FileError& error, Answer& answer) {
  auto change = Change::Begin(settings);
  Status recorded = change ? Status() : Status(Fail(change.error()));
  if (change) {
    const Error why = IsOpenersFault(error.defect) ? Denied("") : Malformed("");
    recorded = change->Record({std::string(action), "", "",
                               std::string(backup::DefectName(error.defect)) + ", " +
                                   RecordedFile(input.path, input.sha256)},
                              Fail(why));
  }
  if (recorded) return;
  answer.notes.push_back("that is not in the audit log: " + recorded.error().detail);
}

std::vector<std::string> BackupWarnings(const backup::Backup& backup) {
  std::vector<std::string> warnings;
  const auto& name = backup.manifest.name;
  if (!backup.chain.empty() && !credential::FitsName(backup.chain.front(), name)) {
    warnings.push_back("its certificate (" + backup.chain.front().subject + ") is not for " + name +
                       ", the name of its key");
  }
  if (backup.format == backup::FileFormat::kCms) return warnings;
  if (backup.kdf.iterations < backup::kMinIterations) {
    warnings.push_back("its key derivation has " + std::to_string(backup.kdf.iterations) +
                       " iterations, which is cheap to guess at: keybroker writes at least " +
                       std::to_string(backup::kMinIterations));
  }
  if (backup.mac_iterations < 2 * backup::kMinIterations) {
    warnings.push_back("its MAC has " + std::to_string(backup.mac_iterations) +
                       " iterations, which is cheap to guess at: keybroker writes at least " +
                       std::to_string(2 * backup::kMinIterations));
  }
  return warnings;
}

namespace {

// AddProtection says who can open the file.
void AddProtection(const backup::Backup& backup, Json& json) {
  if (backup.format == backup::FileFormat::kPkcs12) {
    json["kdf"] = "PBKDF2-HMAC-SHA256";
    json["kdf_iterations"] = backup.kdf.iterations;
    json["mac_iterations"] = backup.mac_iterations;
    return;
  }
  json["oaep"] = token::OaepHashName(backup.oaep);
  json["recipients"] = Json::array();
  for (const auto& each : backup.recipients) {
    json["recipients"].push_back(backup::RecipientText(each));
  }
}

std::string ProtectionText(const Json& json) {
  const std::string algorithm = GetText(json, "encryption");
  if (json.contains("recipients")) {
    return algorithm + ", content key by RSA-OAEP with " + GetText(json, "oaep");
  }
  return algorithm + ", " + GetText(json, "kdf") + " " +
         std::to_string(GetNumber(json, "kdf_iterations")) + " iterations, MAC " +
         std::to_string(GetNumber(json, "mac_iterations"));
}

}  // namespace

Json BackupJson(const BackupInput& input, const backup::Backup& backup, bool verified) {
  const auto& manifest = backup.manifest;
  Json json{{"file", input.path},
            {"sha256", input.sha256},
            {"verified", verified},
            {"format_version", backup::kManifestVersion},
            {"name", manifest.name},
            {"type", cryptoki::KeyTypeName(manifest.type)},
            {"bits", manifest.bits},
            {"id", Hex(manifest.id)},
            {"spki_sha256", backup::FileSha256({reinterpret_cast<const char*>(manifest.spki.data()),
                                                manifest.spki.size()})},
            {"created", credential::FormatTime(manifest.created)},
            {"sequence", manifest.sequence},
            {"current", manifest.current},
            {"format", backup::FileFormatName(backup.format)},
            {"encryption", token::WrapAlgorithmName(backup.key.algorithm)},
            {"token",
             {{"label", manifest.token.label},
              {"model", manifest.token.manufacturer + " " + manifest.token.model},
              {"serial", manifest.token.serial}}}};
  AddProtection(backup, json);
  json["bindings"] = Json::array();
  for (const auto& binding : manifest.bindings) {
    json["bindings"].push_back(
        {{"listener", binding.listener}, {"mechanisms", binding.mechanisms}});
  }
  json["certificates"] = Json::array();
  for (const auto& certificate : backup.chain) {
    json["certificates"].push_back({{"subject", certificate.subject},
                                    {"issuer", certificate.issuer},
                                    {"not_after", credential::FormatTime(certificate.not_after)}});
  }
  return json;
}

std::string BackupText(const Json& json) {
  std::string listeners;
  for (const Json& binding : json["bindings"]) {
    listeners += (listeners.empty() ? "" : ", ") + GetText(binding, "listener");
  }
  std::vector<std::vector<std::string>> rows{
      {"  file", GetText(json, "file")},
      {"  SHA-256", GetText(json, "sha256")},
      {"  key", GetText(json, "name") + " (" + GetText(json, "type") + ", " +
                    std::to_string(GetNumber(json, "bits")) + " bits)"},
      {"  id", GetText(json, "id")},
      {"  public key", "SHA-256 " + GetText(json, "spki_sha256")},
      {"  made", GetText(json, "created") + ", number " +
                     std::to_string(GetNumber(json, "sequence")) + " of this key"},
      {"  token", "\"" + GetText(json["token"], "label") + "\", " +
                      GetText(json["token"], "model") + ", serial " +
                      GetText(json["token"], "serial")},
      {"  listeners", listeners.empty() ? "none" : listeners},
      {"  encryption", ProtectionText(json)}};
  if (json.contains("recipients")) {
    for (const Json& each : json["recipients"]) {
      rows.push_back({"  recipient", each.is_string() ? each.get<std::string>() : "?"});
    }
  }
  for (const Json& certificate : json["certificates"]) {
    rows.push_back({"  certificate", GetText(certificate, "subject") + ", until " +
                                         GetText(certificate, "not_after")});
  }
  return Columns(rows);
}

std::string EmergencyWay(const std::string& path, backup::FileFormat format) {
  const std::string file = ShellQuote(path);
  if (format == backup::FileFormat::kPkcs12) {
    return "without keybroker, on any host: openssl pkcs12 -in " + file +
           " -nodes   (prints the private key in the clear)";
  }
  return "without keybroker, on any host, with a recovery key (key.der is the private key in the "
         "clear):\n"
         "    openssl cms -verify -noverify -inform DER -in " +
         file +
         " -out inner.cms\n"
         "    openssl cms -decrypt -inform DER -in inner.cms -recip RECOVERY.crt -inkey "
         "RECOVERY.key -out key.der";
}

}  // namespace keybroker::cli
