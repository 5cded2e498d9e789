#include <unistd.h>

#include "cli/diagnosis.h"
#include "cli/pin_file.h"
#include "cli/token_leftovers.h"
#include "cli/token_look.h"
#include "keybroker/token/config.h"
#include "keybroker/tokenhost/client.h"

namespace keybroker::cli {
namespace {

void ExaminePinSource(const config::Settings& settings, const token::TokenConfig& config,
                      Diagnosis& diagnosis) {
  const std::string subject = "PIN of " + config.name;
  if (!config.pin_file.empty()) {
    const std::string problem = ProblemWithPinFile(settings, config);
    if (problem.empty()) {
      diagnosis.Ok(subject, "from " + config.pin_file.string());
    } else {
      diagnosis.Wrong(subject, problem);
    }
  } else if (!config.pin_credential.empty()) {
    diagnosis.Ok(subject, "from the systemd credential \"" + config.pin_credential + "\"");
  } else {
    diagnosis.Ok(subject,
                 "given by hand: `keybroker token unlock " + config.name + "` after each start");
  }
}

// ExamineLeftovers is only for a token whose PIN is known to be good.
void ExamineLeftovers(const config::Settings& settings, const token::TokenConfig& config,
                      Diagnosis& diagnosis) {
  const auto left = LookForLeftovers(settings, config);
  const std::string subject = "token " + config.name;
  if (!left) {
    diagnosis.Wrong(subject, "what is on it cannot be looked at: " + left.error().detail);
    return;
  }
  for (const Json& each : *left) {
    if (!each.is_string()) continue;
    diagnosis.Warn(subject, "a command that was killed left " + each.get<std::string>() +
                                ": `keybroker doctor --tidy`, or `keybroker token tidy " +
                                config.name + "`");
  }
}

// ExamineToken gives the serial number of the token that is there, or nothing.
std::string ExamineToken(const config::Settings& settings, const token::TokenConfig& config,
                         Diagnosis& diagnosis) {
  const std::string subject = "token " + config.name;
  const auto seen = LookAtToken(settings, config);
  if (!seen) {
    diagnosis.Wrong(subject, seen.error().detail);
    return {};
  }
  const std::string pin = GetText(*seen, "pin");
  const std::string what = "\"" + GetText(*seen, "label") + "\", " + GetText(*seen, "model") +
                           ", serial " + GetText(*seen, "serial");
  if (pin == kPinOk) {
    diagnosis.Ok(subject, what);
    ExamineLeftovers(settings, config, diagnosis);
  } else if (GetBool(*seen, "pin_usable")) {
    diagnosis.Warn(subject, what + "; its PIN: " + pin);
  } else {
    diagnosis.Wrong(subject, what + "; its PIN: " + pin);
  }
  return GetText(*seen, "serial");
}

void ExamineTokenhost(const config::Settings& settings, const token::TokenConfig& config,
                      const std::string& serial, Diagnosis& diagnosis) {
  const std::string subject = "tokenhost " + config.name;
  const auto report = tokenhost::AskTokenStatus(settings, config.name);
  if (!report) {
    diagnosis.Wrong(subject, report.error().detail);
  } else if (report->state != wire::TokenState::kReady) {
    diagnosis.Wrong(subject,
                    std::string(wire::TokenStateName(report->state)) + ": " + report->detail);
  } else if (serial.empty()) {
    diagnosis.Warn(subject, "ready, pid " + std::to_string(report->pid) +
                                ", with the token of serial " + report->serial +
                                ": whether that is still there is not known");
  } else if (report->serial != serial) {
    diagnosis.Wrong(subject, "ready with the token of serial " + report->serial +
                                 ", and the one that is there now has serial " + serial +
                                 ": restart it (SIGTERM to pid " + std::to_string(report->pid) +
                                 ": `keybroker run`, or systemd, starts it again)");
  } else {
    diagnosis.Ok(subject, "ready, pid " + std::to_string(report->pid) + ", " +
                              std::to_string(report->keys) + " keys");
    if (!report->detail.empty()) diagnosis.Warn(subject, report->detail);
  }
}

}  // namespace

void ExamineTokens(const config::Settings& settings, Diagnosis& diagnosis) {
  const auto configs = token::LoadTokenConfigs(settings);
  if (!configs) {
    diagnosis.Wrong("tokens", configs.error().detail);
    return;
  }
  if (configs->empty()) {
    diagnosis.Wrong("tokens",
                    "none is configured: `keybroker token add NAME --module FILE --label "
                    "LABEL`");
  }
  for (const auto& config : *configs) {
    ExaminePinSource(settings, config, diagnosis);
    const std::string serial = ExamineToken(settings, config, diagnosis);
    ExamineTokenhost(settings, config, serial, diagnosis);
  }
}

void ExamineBroker(const config::Settings& settings, const Result<Json>& broker_status,
                   Diagnosis& diagnosis) {
  if (!broker_status) {
    diagnosis.Wrong("broker", broker_status.error().detail);
    return;
  }
  diagnosis.Ok("broker", "running, pid " + std::to_string(GetNumber(*broker_status, "pid")));
  const auto audit = broker_status->find("audit");
  if (audit != broker_status->end() && GetBool(*audit, "writing")) {
    diagnosis.Ok("audit log", settings.BrokerAudit().string());
  } else {
    diagnosis.Wrong("audit log",
                    settings.BrokerAudit().string() + " cannot be written: is the disk full?");
  }
  const auto warnings = broker_status->find("warnings");
  if (warnings == broker_status->end() || !warnings->is_array()) return;
  for (const auto& warning : *warnings) {
    if (warning.is_string()) diagnosis.Warn("broker", warning.get<std::string>());
  }
}

}  // namespace keybroker::cli
