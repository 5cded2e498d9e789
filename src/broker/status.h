#pragma once

#include <string>

#include "broker/auditor.h"
#include "broker/snapshot.h"
#include "keybroker/base/result.h"
#include "keybroker/wire/admin.h"

namespace keybroker::broker {

// StatusText is the JSON of AdminVerb::kStatus: version, pid, uid, uptime_seconds; listeners with
// their counters, bindings and the keys they see; tokens with state ("away" while their tokenhost
// does not answer), away_ms and in_flight; keys; audit with the chain's head; warnings.
std::string StatusText(const Snapshot& snapshot, const Auditor::State& audit, uint64_t started_ms);

// WhyText is the JSON of AdminVerb::kWhy: what policy says of (listener, key name, mechanism), and
// why. NotFound lists the listeners there are; Malformed when the arguments are not three.
Result<std::string> WhyText(const Snapshot& snapshot, const wire::AdminRequest& request);

// ReloadText is the JSON of a reload that was done.
std::string ReloadText(const Snapshot& snapshot, const std::vector<std::string>& silent_tokens);

}  // namespace keybroker::broker
