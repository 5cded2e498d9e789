#include <algorithm>

#include "keybroker/config/settings.h"
#include "policy/listener_check.h"

namespace keybroker::policy {
namespace {

std::string ReadName(const config::TomlSection& section, std::string_view file) {
  std::string name = section.RequiredString("name");
  if (name.empty()) return name;
  const std::string stem = std::filesystem::path(file).stem().string();
  if (const Status checked = config::CheckName("listener", name); !checked) {
    section.Complain("name", checked.error().detail);
  } else if (name != stem) {
    section.Complain("name", "must be the file's name: \"" + stem + "\", or rename the file to " +
                                 name + ".toml");
  }
  return name;
}

std::vector<std::string> ReadUsers(const config::TomlSection& section) {
  std::vector<std::string> users;
  for (std::string& user : section.Strings("users")) {
    if (user.empty()) {
      section.Complain("users", "must not contain an empty name");
    } else if (std::find(users.begin(), users.end(), user) != users.end()) {
      section.Complain("users", "\"" + user + "\" is listed twice");
    } else {
      users.push_back(std::move(user));
    }
  }
  if (users.empty()) {
    section.Complain("users",
                     "must name at least one user whose processes may ask, such as [\"www-data\"]; "
                     "name \"root\" too when the server loads its key as root");
  }
  return users;
}

void ReadBindings(const config::TomlSection& root, Listener* listener) {
  for (const config::TomlSection& section : root.Tables("binding")) {
    Binding binding = ReadBinding(section);
    for (const Binding& other : listener->bindings) {
      if (!binding.key.empty() && other.key == binding.key && other.type == binding.type) {
        section.Complain("key", "\"" + binding.key +
                                    "\" has a binding of this type already; put its mechanisms "
                                    "into one");
      }
    }
    listener->bindings.push_back(std::move(binding));
  }
}

}  // namespace

Result<Listener> ParseListener(std::string_view text, std::string_view file) {
  KB_ASSIGN(const config::TomlFile toml, config::TomlFile::Parse(text, file));
  const config::TomlSection section = toml.root().Table("listener");
  Listener listener;
  listener.name = ReadName(section, file);
  listener.users = ReadUsers(section);
  ReadSocket(section, &listener);
  ReadBindings(toml.root(), &listener);
  KB_TRY(toml.Check());
  return listener;
}

}  // namespace keybroker::policy
