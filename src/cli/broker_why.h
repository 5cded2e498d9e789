#pragma once

#include <string>

#include "cli/answer.h"
#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"

namespace keybroker::cli {

// WhyQuestion is whether a listener may sign with a key by a mechanism (its PKCS#11 name).
struct WhyQuestion {
  std::string listener;
  std::string key;
  std::string mechanism;
};

// AskWhy is the running broker's answer (docs/policy.md), with the backup on record in the place of
// its advice to make a key: it cannot read the operator's records. Unavailable: none runs.
Result<Json> AskWhy(const config::Settings& settings, const WhyQuestion& question);

// WayBackTo is what brings the key back, one that the mechanism goes with before another; empty: no
// backup is on record.
std::string WayBackTo(const config::Settings& settings, const WhyQuestion& question);

}  // namespace keybroker::cli
