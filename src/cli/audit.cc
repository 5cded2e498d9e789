#include <algorithm>
#include <charconv>
#include <memory>
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

Result<Answer> AuditVerify(const Invocation& invocation, const AuditOptions& options) {
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const auto file, LogFile(settings, options.log));
  audit::Head known;
  if (!options.head.empty()) {
    KB_ASSIGN(known, ParseHead(options.head));
  }
  KB_ASSIGN(const auto report, audit::Verify(file, options.head.empty() ? nullptr : &known));
  const std::string head = std::to_string(report.head.sequence) + ":" + Hex(report.head.hash);
  Answer answer;
  answer.good = report.findings.empty();
  answer.json = {{"file", file.string()},         {"good", answer.good},
                 {"records", report.records},     {"first_time", report.first_time},
                 {"last_time", report.last_time}, {"head", head},
                 {"findings", Json::array()}};
  answer.text = file.string() + ": " + std::to_string(report.records) + " records, " +
                (answer.good ? "the chain holds" : "the chain is broken") + "\n";
  for (const auto& finding : report.findings) {
    answer.json["findings"].push_back(
        {{"line", finding.line}, {"sequence", finding.sequence}, {"text", finding.text}});
    answer.text += "  line " + std::to_string(finding.line) + ": " + finding.text + "\n";
  }
  answer.text += "head " + head + "\n(keep it elsewhere, and give it as --head next time)";
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
