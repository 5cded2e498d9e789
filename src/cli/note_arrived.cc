#include "cli/note_arrived.h"

#include <filesystem>
#include <system_error>

#include "cli/key_choice.h"
#include "cli/layout.h"
#include "cli/reference_file.h"
#include "keybroker/base/file.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/shell_quote.h"

namespace keybroker::cli {
namespace {

constexpr char kNotedNow[] =
    "this host had not written down which key is current, or its certificates, as when a command "
    "is cut off: now it has\n";

// IsNoted tells whether the host has what NoteArrived writes.
Result<bool> IsNoted(const config::Settings& settings, const ArrivingKey& key) {
  KB_ASSIGN(const auto current, LoadCurrent(settings));
  if (!current.ids.contains({key.name, key.type})) return false;
  std::error_code error;
  return key.chain.empty() ||
         std::filesystem::exists(ChainFile(settings, key.name, key.type, Hex(key.id)), error);
}

Status StoreChain(const config::Settings& settings, const ArrivingKey& key) {
  if (key.chain.empty()) return {};
  const auto path = ChainFile(settings, key.name, key.type, Hex(key.id));
  KB_TRY(MakeDirectory(path.parent_path(), "", 0755));
  Status written = WriteFileAtomically(path, credential::FormatCertificates(key.chain), 0644,
                                       Overwrite::kRefuse);
  if (!written && written.error().code == ErrorCode::kConflict) return {};
  return written;
}

Status TellWhetherCurrent(const config::Settings& settings, const ArrivingKey& key,
                          const Json& others, Answer& answer) {
  KB_ASSIGN(const auto current, LoadCurrent(settings));
  const auto listed = current.ids.find({key.name, key.type});
  answer.json["key"]["current"] =
      listed == current.ids.end() ? others.size() == 1 : listed->second == Hex(key.id);
  return {};
}

// IsNewer tells whether the key's own certificate begins later than that of the generation which is
// current: a restore meets generations in any order.
bool IsNewer(const config::Settings& settings, const ArrivingKey& key, const std::string& current) {
  if (key.chain.empty()) return false;
  const auto other = InstalledChain(settings, {key.name, key.type, current});
  return other && !other->empty() && key.chain.front().not_before > other->front().not_before;
}

Status StoreGeneration(const config::Settings& settings, const ArrivingKey& key, const Json& others,
                       const ArrivalWords& words, Answer& answer) {
  KB_ASSIGN(auto current, LoadCurrent(settings));
  const std::string id = Hex(key.id);
  const std::string only =
      others.size() == 1 && others[0].is_string() ? others[0].get<std::string>() : std::string();
  const auto entry =
      current.ids.try_emplace({key.name, key.type}, others.empty() ? id : only).first;
  if (entry->second.empty()) return {};  // several, none current: for the operator to say
  KB_TRY(StoreCurrent(settings, current));
  if (entry->second != id) {
    const std::string type(cryptoki::KeyTypeName(key.type));
    const std::string change =
        "`keybroker key current " + ShellQuote(key.name) + " --type " + type + " --id " + id + "`";
    const bool newer = IsNewer(settings, key, entry->second);
    answer.json["newer_than_current"] = newer;
    answer.notes.push_back(
        "another generation (id " + entry->second + ") is the current one and stays it: this " +
        words.source +
        (newer ? " is of a NEWER key, by its certificate: " + change + " has it used from now on"
               : " is of an older or other key. " + change + " would change that"));
  }
  return {};
}

}  // namespace

Result<bool> NoteArrived(Change& change, const ChangeRecord& record, const ArrivingKey& key,
                         const Json& outcome, const ArrivalWords& words, Answer& answer) {
  const config::Settings& settings = change.settings();
  const bool on_token = !GetBool(outcome, "present") || GetBool(outcome, "completed");
  KB_ASSIGN(const bool noted, IsNoted(settings, key));
  if (on_token || !noted) {
    KB_TRY(Recorded(change, record, [&] {
      return StoreGeneration(settings, key, outcome["others"], words, answer);
    }));
    KB_TRY(Recorded(change, record, [&] { return StoreChain(settings, key); }));
  }
  KB_TRY(TellWhetherCurrent(settings, key, outcome["others"], answer));
  KB_ASSIGN(const bool noted_after, IsNoted(settings, key));
  const bool noted_now = !on_token && !noted && noted_after;
  answer.json["noted_now"] = noted_now;
  if (noted_now) answer.text += kNotedNow;
  return on_token || noted_now;
}

}  // namespace keybroker::cli
