#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <string_view>

#include "cli/commands.h"
#include "keybroker/audit/log.h"
#include "keybroker/base/file.h"
#include "keybroker/base/hex.h"

namespace keybroker::cli {
namespace {

constexpr size_t kMaxLog = size_t{1} << 30;

struct AuditOptions {
  std::string log = "broker";
  unsigned last = 0;
  std::string head;
};

Result<std::filesystem::path> LogFile(const config::Settings& settings, const std::string& log) {
  if (log == "broker") return settings.BrokerAudit();
  if (log == "operator") return settings.OperatorAudit();
  if (log.find('/') != std::string::npos) return std::filesystem::path(log);
  return Fail(Malformed("\"" + log +
                        "\" is no audit log: broker, operator, or a file's path with "
                        "a / in it"));
}

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

// Value is a field of a record for the table: text as it is, numbers in digits.
std::string Value(const Json& record, const char* field) {
  const auto value = record.find(field);
  if (value == record.end()) return "-";
  if (value->is_string())
    return value->get<std::string>().empty() ? "-" : value->get<std::string>();
  return value->dump();
}

Result<Answer> AuditShow(const Invocation& invocation, const AuditOptions& options) {
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const auto file, LogFile(settings, options.log));
  KB_ASSIGN(const std::string text, ReadFile(file, kMaxLog));
  auto lines = Lines(text);
  if (options.last != 0 && lines.size() > options.last) {
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(options.last));
  }
  Answer answer;
  answer.json = {{"file", file.string()}, {"records", Json::array()}};
  constexpr const char* kFields[] = {"time",      "action",   "subject", "uid",   "pid",   "key",
                                     "mechanism", "decision", "result",  "count", "detail"};
  std::vector<std::vector<std::string>> rows{{}};
  for (const char* field : kFields) rows[0].emplace_back(field);
  for (const auto line : lines) {
    const Json record = Json::parse(line, nullptr, false);
    if (!record.is_object()) {
      answer.notes.push_back("a line is no record: `keybroker audit verify` says where");
      continue;
    }
    answer.json["records"].push_back(record);
    rows.emplace_back();
    for (const char* field : kFields) rows.back().push_back(Value(record, field));
  }
  answer.text = Columns(rows);
  return answer;
}

Result<audit::Head> ParseHead(const std::string& text) {
  audit::Head head;
  const size_t colon = text.find(':');
  const auto number =
      std::from_chars(text.data(), text.data() + std::min(colon, text.size()), head.sequence);
  const auto hash = ParseHex(colon == std::string::npos ? "" : text.substr(colon + 1));
  if (number.ec != std::errc() || !hash || hash->size() != head.hash.size()) {
    return Fail(Malformed("\"" + text +
                          "\" is no head: NUMBER:SHA-256 as an earlier `keybroker "
                          "audit verify` printed it"));
  }
  std::copy(hash->begin(), hash->end(), head.hash.begin());
  return head;
}

std::string HeadText(const audit::Report& report) {
  return std::to_string(report.head.sequence) + ":" + Hex(report.head.hash);
}

// AddReport tells of one file's chain in text and JSON.
Json AddReport(const std::filesystem::path& file, const audit::Report& report, Answer& answer) {
  const bool good = report.findings.empty();
  answer.good = answer.good && good;
  Json json{{"file", file.string()},         {"good", good},
            {"records", report.records},     {"first_time", report.first_time},
            {"last_time", report.last_time}, {"head", HeadText(report)},
            {"findings", Json::array()}};
  answer.text += file.string() + ": " + std::to_string(report.records) + " records, " +
                 (good ? "the chain holds" : "the chain is broken") + "\n";
  for (const auto& finding : report.findings) {
    json["findings"].push_back(
        {{"line", finding.line}, {"sequence", finding.sequence}, {"text", finding.text}});
    answer.text += "  line " + std::to_string(finding.line) + ": " + finding.text + "\n";
  }
  return json;
}

// CheckLink holds what a file's record 1 says of the one before it to that file; older is null
// where that is not here.
void CheckLink(const std::filesystem::path& file, const audit::Report& report,
               const std::filesystem::path& older_file, const audit::Report* older, Json& json,
               Answer& answer) {
  if (report.continues.empty()) {
    if (older == nullptr) return;
    answer.notes.push_back(file.string() + " does not say that it continues " +
                           older_file.string() +
                           ": a crash while one gave way to the other, or "
                           "a chain that was begun by hand");
    return;
  }
  const std::string name = report.continues.substr(0, report.continues.find(' '));
  if (older == nullptr || older_file.filename() != name) {
    answer.notes.push_back("what came before " + file.string() + " is in " + name +
                           ", which is not here");
  } else if (report.continues != audit::LinkText(older_file, older->head)) {
    const std::string text =
        "changed: this file says that " + name + " ended with another record than it does";
    answer.good = false;
    json["good"] = false;
    json["findings"].push_back({{"line", 1}, {"sequence", 1}, {"text", text}});
    answer.text += "  line 1: " + text + "\n";
  }
}

Result<Answer> AuditVerify(const Invocation& invocation, const AuditOptions& options) {
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const auto file, LogFile(settings, options.log));
  audit::Head known;
  if (!options.head.empty()) {
    KB_ASSIGN(known, ParseHead(options.head));
  }
  Answer answer;
  Json older = Json::array();
  auto files = audit::OlderFiles(file);
  files.push_back(file);
  std::filesystem::path before_file;
  std::optional<audit::Report> before;
  Json last;
  bool head_seen = options.head.empty();
  for (const auto& each : files) {
    const bool newest = each == file;
    KB_ASSIGN(auto report,
              audit::Verify(each, head_seen ? nullptr : &known,
                            newest ? audit::KnownHead::kIsHere : audit::KnownHead::kMayBeLater));
    head_seen = head_seen || report.known_seen;
    last = AddReport(each, report, answer);
    CheckLink(each, report, before_file, before ? &*before : nullptr, last, answer);
    if (!newest) older.push_back(last);
    before_file = each;
    before = std::move(report);
  }
  answer.json = std::move(last);
  answer.json["older"] = std::move(older);
  answer.text +=
      "head " + HeadText(*before) + "\n(keep it elsewhere, and give it as --head next time)";
  return answer;
}

}  // namespace

void AddAudit(const Command& root) {
  const Command noun = root.Noun("audit", "the record of who signed what");
  auto show = std::make_shared<AuditOptions>();
  const Command shower = noun.Verb("show", "show records", "keybroker audit show --last 20");
  shower.Option("--log", show->log, "broker (default), operator, or a file's path")
      .Option("--last", show->last, "only so many of the newest");
  shower.Does([show](const Invocation& i) { return AuditShow(i, *show); });
  auto verify = std::make_shared<AuditOptions>();
  const Command verifier =
      noun.Verb("verify", "check that no record was changed, removed, inserted, moved or cut off",
                "keybroker audit verify --head 1042:6f1e...");
  verifier.Option("--log", verify->log, "broker (default), operator, or a file's path")
      .Option("--head", verify->head, "what an earlier verify printed, kept elsewhere");
  verifier.Does([verify](const Invocation& i) { return AuditVerify(i, *verify); });
}

}  // namespace keybroker::cli
