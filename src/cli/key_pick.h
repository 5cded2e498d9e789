#pragma once

#include <string>

#include "cli/command.h"
#include "cli/token_access.h"

namespace keybroker::cli {

// PickOptions is how a command line names one key.
struct PickOptions {
  TokenOptions token;
  std::string name;
  std::string type;
  std::string id;
};

// AddPickOptions adds NAME, --type, --id and the token's options.
inline void AddPickOptions(const Command& verb, PickOptions& options) {
  verb.Argument("NAME", options.name, "key name, an FQDN")
      .Option("--type", options.type, "rsa or ec, when the name has both")
      .Option("--id", options.id, "CKA_ID in hexadecimal, for a generation that is not current");
  AddTokenOptions(verb, options.token);
}

}  // namespace keybroker::cli
