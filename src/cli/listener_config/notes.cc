#include "cli/listener_config/notes.h"

#include <algorithm>
#include <sstream>
#include <system_error>

#include "keybroker/base/process.h"
#include "keybroker/base/shell_quote.h"

namespace keybroker::cli {
namespace {

// Admits compares accounts, for a listener's file may name one by its number. A user that this host
// does not have belongs to a server that is not installed here.
bool Admits(const policy::Listener& listener, const std::string& name) {
  const auto wanted = FindUser(name);
  if (!wanted) return true;
  return std::any_of(listener.users.begin(), listener.users.end(), [&](const std::string& user) {
    const auto known = FindUser(user);
    return known && known->uid == wanted->uid;
  });
}

void NoteUsers(const ConfigFacts& facts, const policy::Listener& listener,
               std::vector<std::string>& notes) {
  std::istringstream users{std::string(facts.recipe->users)};
  for (std::string user; users >> user;) {
    if (Admits(listener, user)) continue;
    notes.push_back("the listener \"" + listener.name + "\" does not admit the user " + user +
                    ", and of " + std::string(facts.recipe->program) + " " +
                    std::string(facts.recipe->who) +
                    ": add it to users in the listener's file, and `keybroker reload`");
  }
}

void NoteJail(const ConfigFacts& facts, const policy::Listener& listener,
              std::vector<std::string>& notes) {
  if (facts.recipe->jail.empty() || !listener.jails.empty()) return;
  notes.push_back("Debian's " + std::string(facts.recipe->program) + " runs in a chroot (" +
                  std::string(facts.recipe->jail) + "), and the listener \"" + listener.name +
                  "\" has no jail: it cannot reach the broker from in there once it was restarted. "
                  "Add jails to the listener's file");
}

void NoteKeys(const ConfigFacts& facts, std::vector<std::string>& notes) {
  for (const auto& [target, chain] : facts.keys) {
    for (auto& note : ExpiredNotes(target, chain)) notes.push_back(std::move(note));
    if (!chain.empty()) continue;
    notes.push_back("no certificate is installed for " + target.name + " (" +
                    std::string(cryptoki::KeyTypeName(target.type)) +
                    "): its file holds the key alone. `keybroker certificate install " +
                    ShellQuote(target.name) + " FILE`, then this again");
  }
  if (!facts.recipe->both_types && facts.keys.size() > 1) {
    notes.push_back(std::string(facts.recipe->program) +
                    " serves one key: its snippet names the RSA key. --type ec chooses the other");
  }
}

void NoteLibraries(const ConfigFacts& facts, std::vector<std::string>& notes) {
  std::error_code error;
  const bool engine =
      facts.recipe->library == Library::kOpenSsl && facts.format == ReferenceFormat::kEngine;
  if (!std::filesystem::exists(facts.libraries.module, error)) {
    notes.push_back(facts.libraries.module.string() +
                    " is missing: install keybroker's libraries, or say where it is with --module");
  }
  if (engine && !std::filesystem::exists(facts.libraries.engine, error)) {
    notes.push_back(facts.libraries.engine.string() +
                    " is missing: install keybroker's libraries, or say where it is with --engine");
  }
}

}  // namespace

std::vector<std::string> ConfigNotes(const ConfigFacts& facts, const policy::Listener& listener) {
  std::vector<std::string> notes;
  NoteKeys(facts, notes);
  NoteUsers(facts, listener, notes);
  NoteJail(facts, listener, notes);
  NoteLibraries(facts, notes);
  return notes;
}

}  // namespace keybroker::cli
