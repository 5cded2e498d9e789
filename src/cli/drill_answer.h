#pragma once

#include <cstdint>
#include <string>

#include "cli/answer.h"
#include "keybroker/base/result.h"

namespace keybroker::cli {

// DrillHead is what the JSON of every drill begins with: when, by whom, where.
Json DrillHead(int64_t now);

// NextDue is nothing unless this drill proved every backup: what was not proved is due now.
Json NextDue(bool proved, int64_t now, unsigned days);

// TellDrill is the answer to a drill's JSON: its text, and the HTML page where a report is asked
// for ("-": instead of the text).
Result<Answer> TellDrill(const Json& drill, const std::string& report);

}  // namespace keybroker::cli
