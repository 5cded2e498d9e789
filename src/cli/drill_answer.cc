#include "cli/drill_answer.h"

#include <unistd.h>

#include <filesystem>

#include "cli/change.h"
#include "cli/drill_report.h"
#include "cli/output_file.h"
#include "keybroker/credential/certificate.h"

namespace keybroker::cli {
namespace {

std::string HostName() {
  char name[256] = "";
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

}  // namespace

Json DrillHead(int64_t now) {
  return {{"time", credential::FormatTime(now)},
          {"operator", OperatorName()},
          {"host", HostName()},
          {"version", KB_VERSION}};
}

Json NextDue(bool proved, int64_t now, unsigned days) {
  return proved ? Json(credential::FormatTime(now + int64_t{days} * 86400)) : Json();
}

Status CheckReport(const std::string& report, bool overwrite) {
  if (overwrite && (report.empty() || report == "-")) {
    return Fail(WrongUsage("--overwrite is for the file of --report"));
  }
  std::error_code error;
  const auto there = std::filesystem::status(report, error);
  if (overwrite || report.empty() || report == "-" || !std::filesystem::exists(there)) return {};
  return Fail(Conflict(report +
                       " exists, and may be an earlier drill's report: name another file, " +
                       "or say --overwrite"));
}

Result<Answer> TellDrill(const Json& drill, const std::string& report, bool overwrite) {
  Answer answer;
  if (!report.empty()) {
    KB_TRY(CheckReport(report, overwrite));  // once more: a drill takes long
    KB_TRY(WriteOutput(report, DrillHtml(drill), {}, "the drill's report", answer));
  }
  const std::string wrote = answer.text;
  const Json file = answer.json.contains("file") ? answer.json["file"] : Json();
  answer.json = drill;
  if (!file.is_null()) answer.json["report"] = file;
  if (report != "-") answer.text = DrillText(drill) + (wrote.empty() ? "" : "\n" + wrote);
  answer.good = GetNumber(drill, "good_count") == GetNumber(drill, "count");
  return answer;
}

}  // namespace keybroker::cli
