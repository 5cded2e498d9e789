#pragma once

#include <string>

#include "cli/answer.h"
#include "cli/invocation.h"
#include "cli/token_access.h"
#include "keybroker/base/result.h"

namespace keybroker::cli {

// ExternalDrill says which key's external backup is drilled, and on which standby token.
struct ExternalDrill {
  std::string name;
  std::string type;
  std::string id;
  std::string report;
  bool overwrite = false;  // the report that is there
  TokenOptions token;      // the standby token; not named: the one on record
};

// DrillExternal has the standby token sign a random challenge as the key on record, and verifies it
// with the public key on record, and its certificate. What came of it is recorded and audited.
Result<Answer> DrillExternal(const Invocation& invocation, const ExternalDrill& drill);

}  // namespace keybroker::cli
