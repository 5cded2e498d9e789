#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/listener_config/recipe.h"
#include "cli/listener_side.h"
#include "cli/reference_file.h"
#include "keybroker/base/result.h"
#include "keybroker/credential/certificate.h"

namespace keybroker::cli {

// ConfigKey is a key that the server shall use, with its installed chain.
struct ConfigKey {
  KeyTarget target;
  std::vector<credential::Certificate> chain;
};

// ConfigFacts is what the files are made of: one listener, one kind of server, one key name.
struct ConfigFacts {
  const Recipe* recipe = nullptr;
  std::string listener;
  std::filesystem::path socket;
  std::filesystem::path directory;  // absolute: where the files are, or are going to be
  ListenerSide libraries;
  ReferenceFormat format = ReferenceFormat::kEngine;
  std::vector<ConfigKey> keys;  // of one name, RSA before EC
};

// ConfigFile is one file: its name in the directory, what an operator does with it, its text, and
// the group that alone may read it (empty: everybody may, for there is no secret in it).
struct ConfigFile {
  std::string name;
  std::string where;
  std::string text;
  std::string group = {};
};

// kMadeHere begins every file of ours that is no reference, so that no other is ever replaced.
inline constexpr char kMadeHere[] = "# Written by keybroker listener config ";

// MakeConfigFiles makes the references first and the server's snippet, which names them, last.
// Malformed when a path holds a character that some server's configuration gives a meaning, or when
// the server does not read references in that format.
Result<std::vector<ConfigFile>> MakeConfigFiles(const ConfigFacts& facts);

}  // namespace keybroker::cli
