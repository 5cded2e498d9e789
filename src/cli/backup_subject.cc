#include "cli/backup_subject.h"

#include <algorithm>
#include <ctime>

#include "cli/backup_record.h"
#include "cli/layout.h"
#include "cli/listener_file.h"
#include "keybroker/base/file.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/printable.h"
#include "keybroker/base/shell_quote.h"

namespace keybroker::cli {
namespace {

// NotExportable names the other key of the name where that one is.
Error NotExportable(const token::KeyPair& key, const token::KeyList& keys) {
  const bool other = std::any_of(keys.keys.begin(), keys.keys.end(), [&](const auto& each) {
    return each.label == key.label && each.type != key.type && each.extractable;
  });
  const char* type = key.type == cryptoki::KeyType::kRsa ? "ec" : "rsa";
  return Denied(
      "the key " + Describe(key) +
      " was generated, or sealed, as not exportable, which holds for good: it cannot be "
      "backed up. `keybroker key generate " +
      ShellQuote(key.label) + " --type " + std::string(cryptoki::KeyTypeName(key.type)) +
      " --new-generation --exportable` makes one that can" +
      (other ? ". Of the other key of that name a backup is made with --type " + std::string(type)
             : std::string()));
}

// Chosen are the keys that are meant: of a name without a type, the current one of each type.
Result<std::vector<const token::KeyPair*>> Chosen(const token::KeyList& keys,
                                                  const policy::CurrentKeys& current,
                                                  const SubjectChoice& choice) {
  std::vector<const token::KeyPair*> chosen;
  if (choice.all) {
    for (const auto& key : keys.keys) {
      if (choice.type.empty() || choice.type == cryptoki::KeyTypeName(key.type)) {
        chosen.push_back(&key);
      }
    }
    return chosen;
  }
  for (const std::string& name : choice.names) {
    bool found = false;
    for (const char* type : {"rsa", "ec"}) {
      if (!choice.type.empty() && choice.type != type) continue;
      KB_ASSIGN(const KeyWish wish, MakeWish(name, type, choice.id));
      auto key = PickKey(keys, current, wish);
      if (!key && key.error().code != ErrorCode::kNotFound) return Fail(key.error());
      if (key && !(*key)->extractable) return Fail(NotExportable(**key, keys));
      if (!key) continue;
      // A name that was given twice makes one backup of each key.
      if (std::find(chosen.begin(), chosen.end(), *key) == chosen.end()) chosen.push_back(*key);
      found = true;
    }
    if (found) continue;
    KB_ASSIGN(const KeyWish wish, MakeWish(name, choice.type, choice.id));
    KB_TRY(PickKey(keys, current, wish));  // says which keys there are
  }
  return chosen;
}

// LookAt describes the chosen keys, in the token's own process.
Result<Json> LookAt(LoggedIn& token, const policy::CurrentKeys& current,
                    const SubjectChoice& choice) {
  KB_ASSIGN(const auto keys, token::ListKeys(token.session));
  KB_ASSIGN(const auto chosen, Chosen(keys, current, choice));
  Json json{{"token", TokenInfoJson(token.token.info())},
            {"keys", Json::array()},
            {"left_out", Json::array()}};
  for (const token::KeyPair* key : chosen) {
    if (!key->extractable) {
      json["left_out"].push_back(Describe(*key));
      continue;
    }
    Json one = KeyJson(*key, IsCurrent(keys, current, *key));
    one["der"] = Hex(key->certificate);
    json["keys"].push_back(std::move(one));
  }
  return json;
}

// ChainOf is the chain that was installed with the token's certificate, or that certificate alone.
// No backup opens that has the certificate of another key; one without has all that a restore
// takes.
std::vector<credential::Certificate> ChainOf(const config::Settings& settings,
                                             const backup::Manifest& manifest,
                                             const std::vector<uint8_t>& der,
                                             std::string* foreign) {
  const auto leaf = credential::ParseCertificate(der);
  if (!leaf) return {};
  if (leaf->spki != manifest.spki) {
    *foreign = leaf->subject.empty() ? "no subject" : leaf->subject;
    return {};
  }
  const auto text = ReadFile(ChainFile(settings, manifest.name, manifest.type, Hex(manifest.id)));
  const auto chain = text ? credential::ParseCertificates(*text)
                          : Result<std::vector<credential::Certificate>>(Fail(text.error()));
  if (chain && chain->front().der == leaf->der) return *chain;
  return {*leaf};
}

Result<std::vector<backup::ManifestBinding>> BindingsOf(const config::Settings& settings,
                                                        const backup::Manifest& manifest) {
  std::vector<backup::ManifestBinding> bindings;
  KB_ASSIGN(const auto names, ListenerNames(settings));
  for (const std::string& name : names) {
    KB_ASSIGN(const auto listener, LoadListener(settings, name));
    for (const policy::Binding& binding : listener.bindings) {
      if (binding.key != manifest.name || binding.type.value_or(manifest.type) != manifest.type) {
        continue;
      }
      bindings.push_back({name, binding.mechanisms});
    }
  }
  return bindings;
}

}  // namespace

std::string ForeignText(const BackupSubject& subject) {
  const auto& manifest = subject.manifest;
  return "the certificate that the token \"" + EscapeUnprintable(manifest.token.label) +
         "\" has under its CKA_ID " + Hex(manifest.id) + " (" +
         EscapeUnprintable(subject.foreign_certificate) +
         ") is of another key. `keybroker certificate install " + ShellQuote(manifest.name) +
         " FILE --type " + std::string(cryptoki::KeyTypeName(manifest.type)) +
         "` puts the right one in its place; then export the key again";
}

Json TokenInfoJson(const token::TokenInfo& info) {
  return {{"label", info.label},
          {"manufacturer", info.manufacturer},
          {"model", info.model},
          {"serial", info.serial},
          {"firmware", info.firmware}};
}

Result<BackupSubject> SubjectOf(const config::Settings& settings, const Json& key,
                                const Json& token) {
  const auto type = cryptoki::ParseKeyType(GetText(key, "type"));
  auto id = ParseHex(GetText(key, "id"));
  auto spki = ParseHex(GetText(key, "spki"));
  const auto der = ParseHex(GetText(key, "der"));
  if (!type || !id || !spki || !der) {
    return Fail(Internal("the token's process gave an answer that does not fit"));
  }
  BackupSubject subject;
  backup::Manifest& manifest = subject.manifest;
  manifest.name = GetText(key, "name");
  manifest.type = *type;
  manifest.bits = static_cast<uint32_t>(GetNumber(key, "bits"));
  manifest.id = std::move(*id);
  manifest.spki = std::move(*spki);
  manifest.current = GetBool(key, "current");
  manifest.token = {GetText(token, "label"), GetText(token, "manufacturer"),
                    GetText(token, "model"), GetText(token, "serial"), GetText(token, "firmware")};
  manifest.created = std::time(nullptr);
  KB_TRY(policy::CheckKeyName(manifest.name));
  KB_ASSIGN(manifest.bindings, BindingsOf(settings, manifest));
  KB_ASSIGN(const BackupRecord record, LoadBackupRecord(settings, Hex(manifest.id)));
  manifest.sequence = record.NextNumber();
  subject.chain = ChainOf(settings, manifest, *der, &subject.foreign_certificate);
  return subject;
}

Result<std::vector<BackupSubject>> BackupSubjects(const config::Settings& settings,
                                                  const TokenAccess& access,
                                                  const SubjectChoice& choice,
                                                  std::vector<std::string>* left_out) {
  KB_ASSIGN(const auto current, LoadCurrent(settings));
  KB_ASSIGN(const Json json,
            access.Run(false, [&](LoggedIn& token) { return LookAt(token, current, choice); }));
  for (const Json& each : json["left_out"]) {
    if (each.is_string()) left_out->push_back(each.get<std::string>());
  }
  std::vector<BackupSubject> subjects;
  for (const Json& key : json["keys"]) {
    KB_ASSIGN(auto subject, SubjectOf(settings, key, json["token"]));
    subjects.push_back(std::move(subject));
  }
  return subjects;
}

}  // namespace keybroker::cli
