#include "cli/drill_answer.h"

#include <unistd.h>

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
  return {
      {"time", credential::FormatTime(now)}, {"operator", OperatorName()}, {"host", HostName()}};
}

Json NextDue(bool proved, int64_t now, unsigned days) {
  return proved ? Json(credential::FormatTime(now + int64_t{days} * 86400)) : Json();
}

Result<Answer> TellDrill(const Json& drill, const std::string& report) {
  Answer answer;
  if (!report.empty()) {
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
