#include "cli/rewrite.h"

#include <algorithm>
#include <system_error>

#include "cli/layout.h"
#include "cli/listener_config/directories.h"
#include "cli/listener_config/files.h"
#include "cli/listener_file.h"
#include "keybroker/base/file.h"
#include "keybroker/base/shell_quote.h"

namespace keybroker::cli {
namespace {

constexpr size_t kMaxFile = 1 << 20;

// KindOf reads the first line of a file that listener config wrote (kMadeHere); empty: it did not.
std::string KindOf(const std::filesystem::path& file, const std::string& listener) {
  const auto text = ReadFile(file, kMaxFile);
  const std::string head = std::string(kMadeHere) + listener + " --for ";
  if (!text || !text->starts_with(head)) return {};
  const size_t end = text->find(';', head.size());
  const std::string kind = text->substr(head.size(), end - head.size());
  // Anybody may have written the file: a word that is no kind is not repeated.
  return FindRecipe(kind) ? kind : std::string();
}

std::string KindIn(const std::filesystem::path& directory, const std::string& listener) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string kind = KindOf(entry.path(), listener);
    if (!kind.empty()) return kind;
  }
  return {};
}

bool NamesSeveralKeys(const policy::Listener& listener) {
  return std::any_of(
      listener.bindings.begin(), listener.bindings.end(),
      [&](const policy::Binding& one) { return one.key != listener.bindings.front().key; });
}

}  // namespace

bool IsBound(const policy::Listener& listener, const std::string& key, cryptoki::KeyType type) {
  return std::any_of(listener.bindings.begin(), listener.bindings.end(),
                     [&](const policy::Binding& one) {
                       return one.key == key && (!one.type || *one.type == type);
                     });
}

std::string RewriteCommand(const config::Settings& settings, const policy::Listener& listener,
                           const std::string& key, cryptoki::KeyType type) {
  auto directory = ListenerDirectory(settings, listener.name);
  std::string kind;
  for (const auto& each : DirectoriesOf(settings, listener.name)) {
    kind = KindIn(each, listener.name);
    if (kind.empty()) continue;
    directory = each;
    break;
  }
  std::error_code error;
  if (kind.empty() &&
      std::filesystem::exists(ReferenceFile(settings, key, type, listener.name), error)) {
    return "keybroker reference write " + ShellQuote(key) + " --type " +
           std::string(cryptoki::KeyTypeName(type)) + " --listener " + listener.name;
  }
  return "keybroker listener config " + listener.name + " --for " +
         (kind.empty() ? std::string("KIND") : kind) +
         (NamesSeveralKeys(listener) ? " --key " + ShellQuote(key) : std::string()) + " --write " +
         ShellQuote(directory.string());
}

std::vector<std::string> RewriteCommands(const config::Settings& settings, const std::string& key,
                                         cryptoki::KeyType type) {
  std::vector<std::string> commands;
  if (const auto names = ListenerNames(settings)) {
    for (const std::string& name : *names) {
      const auto listener = LoadListener(settings, name);
      if (!listener || !IsBound(*listener, key, type)) continue;
      commands.push_back(RewriteCommand(settings, *listener, key, type));
    }
  }
  if (commands.empty()) commands.push_back("keybroker listener bind LISTENER " + ShellQuote(key));
  return commands;
}

std::string NextRewrites(const config::Settings& settings, const std::string& key,
                         cryptoki::KeyType type) {
  std::string text;
  for (const std::string& command : RewriteCommands(settings, key, type)) {
    text += (text.empty() ? "next: " : "\n      ") + command;
  }
  if (text.find(" bind ") != std::string::npos) return text;
  return text + "\n      and reload these servers; `keybroker listener check` proves it";
}

}  // namespace keybroker::cli
