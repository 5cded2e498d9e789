#pragma once

#include <string_view>

#include "broker/admission.h"
#include "broker/auditor.h"
#include "broker/event_set.h"
#include "broker/snapshot.h"

namespace keybroker::broker {

// Expire answers a parked request that got no place at its token, and records it with result as
// why. It needs no worker, because no worker may be free.
void Expire(const Parked& parked, std::string_view result, const Snapshot& snapshot,
            Auditor& auditor, EventSet& events);

}  // namespace keybroker::broker
