#include <ctime>
#include <memory>
#include <sstream>

#include "cli/commands.h"
#include "cli/diagnosis.h"
#include "cli/interruption.h"
#include "cli/token_tidy.h"
#include "keybroker/broker/admin_client.h"

namespace keybroker::cli {
namespace {

struct DoctorOptions {
  std::string module;
  std::string engine;
  bool tidy = false;
  bool yes = false;
};

Result<Json> BrokerStatus(const config::Settings& settings) {
  KB_ASSIGN(const auto text, broker::AskBroker(settings, wire::AdminVerb::kStatus));
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return Fail(Malformed("the broker's status does not parse"));
  return json;
}

const char* Word(Diagnosis::Level level) {
  if (level == Diagnosis::Level::kOk) return "ok";
  return level == Diagnosis::Level::kWarning ? "warning" : "wrong";
}

Answer Report(const Diagnosis& diagnosis) {
  Answer answer;
  answer.json["lines"] = Json::array();
  std::vector<std::vector<std::string>> rows;
  for (const auto& line : diagnosis.lines()) {
    if (line.level == Diagnosis::Level::kWrong) answer.good = false;
    std::istringstream text(line.text);
    std::string part;
    std::getline(text, part);
    rows.push_back({Word(line.level), line.subject, part});
    while (std::getline(text, part)) rows.push_back({"", "", part});
    answer.json["lines"].push_back(
        {{"state", Word(line.level)}, {"subject", line.subject}, {"text", line.text}});
  }
  answer.json["good"] = answer.good;
  answer.text = Columns(rows);
  return answer;
}

// TidyTokens removes what killed commands left on any token, before it is looked at. One that
// cannot be tidied is told, and the others are all the same.
Status TidyTokens(const config::Settings& settings, bool yes, Diagnosis& diagnosis) {
  KB_ASSIGN(const auto tokens, token::LoadTokenConfigs(settings));
  const Interruption interruption;
  for (const token::TokenConfig& config : tokens) {
    if (Interruption::Asked())
      return Fail(Conflict("interrupted: the token " + config.name +
                           " and those after it were not tidied"));
    TidyOptions options;
    options.token.token = config.name;
    options.yes = yes;
    const auto tidied = TidyToken(settings, options);
    if (!tidied) {
      diagnosis.Wrong("token " + config.name, "was not tidied: " + tidied.error().detail);
      continue;
    }
    const Json& removed = tidied->json["removed"];
    if (removed.empty()) diagnosis.Ok("token " + config.name, "nothing was left to tidy");
    for (const Json& each : removed) {
      if (!each.is_string()) continue;
      diagnosis.Ok("token " + config.name, "removed " + each.get<std::string>());
    }
  }
  return {};
}

Result<Answer> Doctor(const Invocation& invocation, const DoctorOptions& options) {
  if (options.yes && !options.tidy) return Fail(WrongUsage("--yes is for --tidy"));
  Diagnosis diagnosis;
  const auto settings = invocation.Settings();
  if (!settings) {
    diagnosis.Wrong("configuration", settings.error().detail);
    return Report(diagnosis);
  }
  diagnosis.Ok("configuration", settings->file.string());
  if (options.tidy) KB_TRY(TidyTokens(*settings, options.yes, diagnosis));
  ExamineFiles(*settings, diagnosis);
  ExaminePrograms(diagnosis);
  ExamineScratch(diagnosis);
  const auto status = BrokerStatus(*settings);
  ExamineBroker(*settings, status, diagnosis);
  ExamineTokens(*settings, diagnosis);
  ExamineListeners(*settings, status.has_value(), diagnosis);
  ExamineKeys(*settings, status ? *status : Json(), std::time(nullptr), diagnosis);
  ExamineBackups(*settings, std::time(nullptr), diagnosis);
  ExamineListenerSide(options.module, options.engine, diagnosis);
  return Report(diagnosis);
}

}  // namespace

void AddDoctor(const Command& root) {
  auto options = std::make_shared<DoctorOptions>();
  const Command verb =
      root.Verb("doctor", "check everything; each line is ok, or says what is wrong and what to do",
                "keybroker doctor\n"
                "  keybroker doctor --tidy");
  verb.Option("--module", options->module, "listeners' module; default: where it is installed")
      .Option("--engine", options->engine, "OpenSSL engine; default: where it is installed");
  verb.Flag("--tidy", options->tidy,
            "remove what killed commands left on the tokens first: objects that hold no key, KEKs");
  verb.Flag("--yes", options->yes, "with --tidy: do not ask to type a token's name");
  verb.Does([options](const Invocation& i) { return Doctor(i, *options); });
}

}  // namespace keybroker::cli
