#pragma once

#include <string>

#include "cli/answer.h"

namespace keybroker::cli {

// DrillHtml is a drill's JSON (drill.cc) as a page of its own: no scripts, nothing loaded from
// anywhere, fit for paper. All text is escaped: some of it comes from the files.
std::string DrillHtml(const Json& drill);

// DrillText is the same for a terminal.
std::string DrillText(const Json& drill);

}  // namespace keybroker::cli
