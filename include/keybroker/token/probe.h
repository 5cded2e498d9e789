#pragma once

#include <string>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/token/profile.h"
#include "keybroker/token/token.h"

namespace keybroker::token {

// ProbeLine is one measured fact: what was asked of the token, and what it did.
struct ProbeLine {
  std::string field;  // the profile field it fills
  std::string value;
  std::string evidence;  // the calls and the CK_RVs
};

// ProbeResult is the profile as measured, with its evidence.
struct ProbeResult {
  Profile profile;
  std::vector<ProbeLine> lines;
};

// Probe measures a logged-in token with session objects only (CKA_TOKEN false): it leaves nothing
// behind. Each fact is what the token did, never what a mechanism number promises.
Result<ProbeResult> Probe(const Token& token);

}  // namespace keybroker::token
