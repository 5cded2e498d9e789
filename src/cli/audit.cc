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
  std::string log;  // empty: show the broker's, verify whatever there is
  unsigned last = 0;
  std::string head;
};

Result<std::filesystem::path> LogFile(const config::Settings& settings, const std::string& log) {
  if (log.empty() || log == "broker") return settings.BrokerAudit();
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
                 (good                 ? "the chain holds"
                  : report.end_unknown ? "the chain holds as far as it goes, its end is not known"
                                       : "the chain is broken") +
                 "\n";
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

// VerifyLog checks one log with the older files it continues; known is the head to find, or null.
Result<Json> VerifyLog(const std::filesystem::path& file, const audit::Head* known,
                       Answer& answer) {
  Json older = Json::array();
  auto files = audit::OlderFiles(file);
  files.push_back(file);
  std::filesystem::path before_file;
  std::optional<audit::Report> before;
  Json last;
  for (const auto& each : files) {
    const bool newest = each == file;
    KB_ASSIGN(auto report,
              audit::Verify(each, known,
                            newest ? audit::KnownHead::kIsHere : audit::KnownHead::kMayBeLater));
    if (report.known_seen) known = nullptr;
    last = AddReport(each, report, answer);
    CheckLink(each, report, before_file, before ? &*before : nullptr, last, answer);
    if (!newest) older.push_back(last);
    before_file = each;
    before = std::move(report);
  }
  last["older"] = std::move(older);
  answer.text += "head " + HeadText(*before) + "\n";
  return last;
}

constexpr char kKeep[] = "(keep it elsewhere, and give it as --head next time)";

Result<Answer> VerifyOne(const config::Settings& settings, const AuditOptions& options) {
  KB_ASSIGN(const auto file, LogFile(settings, options.log));
  std::optional<audit::Head> known;
  if (!options.head.empty()) {
    KB_ASSIGN(known, ParseHead(options.head));
  }
  Answer answer;
  KB_ASSIGN(answer.json, VerifyLog(file, known ? &*known : nullptr, answer));
  answer.text += kKeep;
  return answer;
}

// IsThere: a log of which only the head or older files are left, or that this user may not look
// for, is there too, and fails when it is read.
bool IsThere(const std::filesystem::path& file) {
  for (const std::string& path : {file.string(), file.string() + ".head"}) {
    std::error_code error;
    if (std::filesystem::exists(path, error) || error) return true;
  }
  return !audit::OlderFiles(file).empty();
}

// VerifyAll checks each log that this host has: one without a broker has the operator's alone.
Result<Answer> VerifyAll(const config::Settings& settings) {
  Answer answer;
  answer.json = {{"good", false}, {"logs", Json::array()}, {"missing", Json::array()}};
  for (const auto& [name, file] :
       {std::pair{"broker", settings.BrokerAudit()}, {"operator", settings.OperatorAudit()}}) {
    if (!IsThere(file)) {
      answer.json["missing"].push_back(name);
      answer.text += std::string("the ") + name + "'s log: none at " + file.string() + "\n";
      continue;
    }
    answer.text += std::string("the ") + name + "'s log:\n";
    KB_ASSIGN(Json log, VerifyLog(file, nullptr, answer));
    log["log"] = name;
    answer.json["logs"].push_back(std::move(log));
  }
  if (answer.json["logs"].empty()) {
    return Fail(NotFound("there is no audit log, neither " + settings.BrokerAudit().string() +
                         " nor " + settings.OperatorAudit().string() + ": nothing was checked"));
  }
  answer.json["good"] = answer.good;
  answer.text += "(keep the heads elsewhere, and give one as --head with its --log next time)";
  return answer;
}

Result<Answer> AuditVerify(const Invocation& invocation, const AuditOptions& options) {
  KB_ASSIGN(const auto settings, invocation.Settings());
  // A head is of one log: the broker's unless another is named.
  if (options.log.empty() && options.head.empty()) return VerifyAll(settings);
  return VerifyOne(settings, options);
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
  verifier
      .Option("--log", verify->log,
              "broker, operator, or a file's path; default: each that there is, with --head broker")
      .Option("--head", verify->head, "what an earlier verify printed, kept elsewhere");
  verifier.Does([verify](const Invocation& i) { return AuditVerify(i, *verify); });
}

}  // namespace keybroker::cli
