#include "cli/external_backup.h"

#include <algorithm>
#include <utility>

#include "keybroker/backup/backup_file.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/printable.h"

namespace keybroker::cli {
namespace {

int64_t Time(const Json& json, const char* field) {
  return std::clamp<int64_t>(GetNumber(json, field), 0, backup::kMaxCreated);
}

const Json& Object(const Json& json, const char* field) {
  static const Json none = Json::object();
  const auto found = json.find(field);
  return found == json.end() ? none : *found;
}

std::vector<uint8_t> HexField(const Json& json, const char* field) {
  auto bytes = ParseHex(GetText(json, field));
  return bytes ? std::move(*bytes) : std::vector<uint8_t>();
}

}  // namespace

std::string ExternalBackup::SpkiSha256() const {
  return backup::FileSha256({reinterpret_cast<const char*>(spki.data()), spki.size()});
}

Status CheckNote(const std::string& note) {
  const std::string what =
      "--note says by what means the backup was made and where it is, in one line of at most " +
      std::to_string(kMaxNote) + " bytes";
  if (note.find_first_not_of(' ') == std::string::npos) return Fail(WrongUsage(what));
  if (note.size() > kMaxNote) {
    return Fail(WrongUsage(what + ": this one has " + std::to_string(note.size())));
  }
  for (std::string_view rest = note; !rest.empty();) {
    const size_t size = PrintableSequence(rest);
    if (size == 0) {
      return Fail(
          WrongUsage(what + ", without control characters: \"" + EscapeUnprintable(note) + "\""));
    }
    rest.remove_prefix(size);
  }
  return {};
}

Json ExternalJson(const ExternalBackup& external) {
  Json json{{"recorded", external.recorded},
            {"by", external.by},
            {"note", external.note},
            {"from", external.from},
            {"origin", IdentityJson(external.origin)},
            {"at", external.at},
            {"spki", Hex(external.spki)},
            {"certificate", Hex(external.certificate)},
            {"drilled", external.drilled},
            {"failed", external.failed},
            {"origin_lost", external.origin_lost},
            {"failure", external.failure}};
  if (external.drilled != 0) {
    json["drilled_on"] = external.drilled_on;
    json["standby"] = IdentityJson(external.standby);
  }
  return json;
}

Result<ExternalBackup> ParseExternal(const Json& json) {
  ExternalBackup external;
  external.recorded = Time(json, "recorded");
  external.by = GetText(json, "by");
  external.note = GetText(json, "note");
  external.from = GetText(json, "from");
  external.at = GetText(json, "at");
  external.spki = HexField(json, "spki");
  external.certificate = HexField(json, "certificate");
  external.failed = Time(json, "failed");
  external.origin_lost = Time(json, "origin_lost");
  external.failure = GetText(json, "failure");
  auto origin = ParseIdentity(Object(json, "origin"));
  if (!origin || external.spki.empty() || !CheckNote(external.note)) {
    return Fail(Malformed("it is no record of an external backup"));
  }
  external.origin = std::move(*origin);
  // A drill counts only with the token that it was held on.
  if (auto standby = ParseIdentity(Object(json, "standby"))) {
    external.drilled = Time(json, "drilled");
    external.drilled_on = GetText(json, "drilled_on");
    external.standby = std::move(*standby);
  }
  return external;
}

}  // namespace keybroker::cli
