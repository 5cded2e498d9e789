#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "cli/backup_record.h"
#include "cli/backup_standing.h"
#include "cli/diagnosis.h"
#include "cli/key_choice.h"
#include "cli/layout.h"
#include "cli/listener_file.h"
#include "keybroker/base/file.h"
#include "keybroker/base/shell_quote.h"
#include "keybroker/credential/certificate.h"

namespace keybroker::cli {
namespace {

constexpr int64_t kDay = 24 * 60 * 60;
constexpr int64_t kSoon = 21 * kDay;

bool IsOnToken(const Json& broker_status, const std::string& id) {
  const auto keys = broker_status.find("keys");
  if (keys == broker_status.end() || !keys->is_array()) return false;
  return std::any_of(keys->begin(), keys->end(),
                     [&](const Json& key) { return GetText(key, "id") == id; });
}

// KeysUnknown says why it is not known whether a key is on a token; empty: it is known.
std::string KeysUnknown(const Json& broker_status) {
  std::string text;
  const auto tokens = broker_status.find("tokens");
  if (tokens == broker_status.end() || !tokens->is_array()) return text;
  for (const Json& token : *tokens) {
    const std::string why = GetText(token, "keys_unknown");
    if (!why.empty()) text += (text.empty() ? "" : "; ") + why;
  }
  return text;
}

// TypeOption: a name may have a key of each type, and a command of its own for each.
std::string TypeOption(cryptoki::KeyType type) {
  return " --type " + std::string(cryptoki::KeyTypeName(type));
}

// ExamineCertificate looks at the chain that references are written with: the first of it to end
// ends the key's use. Where that is not the leaf, the line says so.
void ExamineCertificate(const std::string& subject, const std::string& which,
                        const std::filesystem::path& file, int64_t now, Diagnosis& diagnosis) {
  const auto text = ReadFile(file);
  if (!text && text.error().code == ErrorCode::kNotFound) {
    diagnosis.Warn(subject, "it has no certificate: `keybroker request create " + which + "`");
    return;
  }
  const auto chain = text ? credential::ParseCertificates(*text)
                          : Result<std::vector<credential::Certificate>>(Fail(text.error()));
  if (!chain) {
    diagnosis.Wrong(subject, file.string() + ": " + chain.error().detail);
    return;
  }
  const auto first =
      std::min_element(chain->begin(), chain->end(),
                       [](const auto& a, const auto& b) { return a.not_after < b.not_after; });
  const bool leaf = first->not_after == chain->front().not_after;
  const std::string what =
      leaf ? "its certificate (" + chain->front().subject + ")"
           : "a CA's certificate in its chain (" + first->subject + "), not its own,";
  const std::string until = credential::FormatTime(first->not_after);
  if (first->not_after < now) {
    diagnosis.Wrong(subject, what + " expired at " + until + ": `keybroker request create " +
                                 which +
                                 "`, `keybroker certificate install`, which says what is next");
  } else if (first->not_after < now + kSoon) {
    diagnosis.Warn(subject, what + " ends at " + until + ": ask the CA for a new one");
  } else {
    diagnosis.Ok(subject,
                 "certificate until " + until + (leaf ? "" : ", when a CA's in its chain ends"));
  }
}

using KeyName = std::pair<std::string, cryptoki::KeyType>;

// Known is what is known of keys beside the tokens.
struct Known {
  const config::Settings& settings;
  policy::CurrentKeys current;
  std::vector<BackupRecord> records;
  std::string unknown;  // why it is not known which keys are on the tokens; empty: it is
};

// ExamineUnknown looks at a binding to a key of which keybroker made none.
void ExamineUnknown(const Known& known, const std::string& subject, const policy::Binding& binding,
                    Diagnosis& diagnosis) {
  const std::string bound = "it is bound to " + binding.key;
  const std::string restore =
      RestoreOf(known.settings, known.records, binding.key, binding.type, "");
  if (!restore.empty() && known.unknown.empty()) {
    diagnosis.Wrong(subject, bound + ", which is on no token: " + restore + " puts it back");
    return;
  }
  const std::string type = binding.type ? TypeOption(*binding.type) : std::string();
  const std::string remedy = known.unknown.empty()
                                 ? "`keybroker key generate " + ShellQuote(binding.key) + type + "`"
                                 : "a token may hold one that was made elsewhere; " + known.unknown;
  diagnosis.Warn(subject, bound + ", and keybroker made no such key: " + remedy);
}

void ExamineBindings(const Known& known, Diagnosis& diagnosis) {
  const auto names = ListenerNames(known.settings);
  if (!names) return;
  for (const std::string& name : *names) {
    const auto listener = LoadListener(known.settings, name);
    if (!listener) continue;
    for (const auto& binding : listener->bindings) {
      const auto& ids = known.current.ids;
      const bool made = std::any_of(ids.begin(), ids.end(), [&](const auto& entry) {
        return entry.first.first == binding.key &&
               (!binding.type || *binding.type == entry.first.second);
      });
      if (!made) ExamineUnknown(known, "listener " + name, binding, diagnosis);
    }
  }
}

void ExamineKey(const Known& known, const Json& broker_status, const KeyName& key,
                const std::string& id, int64_t now, Diagnosis& diagnosis) {
  const auto& [name, type] = key;
  const std::string subject = "key " + name + " (" + std::string(cryptoki::KeyTypeName(type)) + ")";
  if (broker_status.is_object() && !IsOnToken(broker_status, id)) {
    if (known.unknown.empty()) {
      const std::string restore = RestoreOf(known.settings, known.records, name, type, id);
      diagnosis.Wrong(
          subject, "the current key " + id + " is on no token that the broker sees: " +
                       (restore.empty() ? "`keybroker key list` shows what is there; for one that "
                                          "is lost for good: `keybroker key current " +
                                              ShellQuote(name) + TypeOption(type) + " --forget`"
                                        : restore + " puts it back"));
      return;
    }
    diagnosis.Warn(subject,
                   "whether the current key " + id + " is there is not known: " + known.unknown);
  }
  ExamineCertificate(subject, ShellQuote(name) + TypeOption(type),
                     ChainFile(known.settings, name, type, id), now, diagnosis);
}

}  // namespace

void ExamineKeys(const config::Settings& settings, const Json& broker_status, int64_t now,
                 Diagnosis& diagnosis) {
  auto current = LoadCurrent(settings);
  if (!current) {
    diagnosis.Wrong("keys", current.error().detail);
    return;
  }
  // One that cannot be read is told of with the backups.
  auto loaded = LoadBackupRecords(settings);
  const Known known{settings, std::move(*current),
                    loaded ? std::move(*loaded) : std::vector<BackupRecord>(),
                    KeysUnknown(broker_status)};
  for (const auto& [key, id] : known.current.ids) {
    ExamineKey(known, broker_status, key, id, now, diagnosis);
  }
  ExamineBindings(known, diagnosis);
}

}  // namespace keybroker::cli
