#pragma once

#include <optional>
#include <vector>

#include "audit/scan.h"

namespace keybroker::audit {

// Judgement is what was done to a log.
struct Judgement {
  std::vector<Finding> findings;  // in the order of the lines
  Head last;                      // the end of what is taken for the true chain
  bool end_unknown = false;       // the only finding is that there is no head
};

// Judge tells it from a scanned log and its head (nothing: missing or unreadable). known is a Head
// that must be in it, or null.
Judgement Judge(const Scan& scan, const std::optional<Head>& head, const Head* known);

}  // namespace keybroker::audit
