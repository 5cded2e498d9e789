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

// CheckReport is Conflict, before a drill is held, where its report would replace a file: that may
// be the proof of an earlier one.
Status CheckReport(const std::string& report, bool overwrite);

// TellDrill is the answer to a drill's JSON: its text, and the HTML page where a report is asked
// for ("-": instead of the text).
Result<Answer> TellDrill(const Json& drill, const std::string& report, bool overwrite);

}  // namespace keybroker::cli
