#pragma once

#include <string>

#include "cli/answer.h"
#include "cli/listener_check/problem.h"
#include "cli/listener_check/verdict.h"
#include "cli/reference_file.h"
#include "keybroker/config/settings.h"
#include "keybroker/policy/listener.h"

namespace keybroker::cli {

// BrokerView is what the broker said of a listener at one moment. Without a broker, or when this
// user may not ask, there are no counts.
struct BrokerView {
  bool away = false;     // no broker runs
  bool answers = false;  // the counts below are the broker's
  std::string detail;    // why there is no answer
  int64_t pid = 0;       // the broker's
  int64_t signatures = 0;
  int64_t denied = 0;
  int64_t failed = 0;
  Json status;  // all that it said

  static BrokerView Ask(const config::Settings& settings, const std::string& listener);
};

// Explain turns a handshake that was not made into a verdict: what happened, and what broker and
// policy say to it.
Verdict Explain(const config::Settings& settings, const policy::Listener& listener,
                const KeyTarget& target, const Problem& problem, const BrokerView& before,
                const BrokerView& after);

}  // namespace keybroker::cli
