#pragma once

#include <optional>
#include <vector>

#include "audit/scan.h"

namespace keybroker::audit {

// Judge tells from a scanned log and its head (nothing: missing or unreadable) what was done to
// it, in the order of the lines. last is set to the end of what it takes for the true chain.
std::vector<Finding> Judge(const Scan& scan, const std::optional<Head>& head, const Head* known,
                           Head* last);

}  // namespace keybroker::audit
