#pragma once

#include <cstdint>
#include <vector>

#include "cli/listener_check/broker_view.h"
#include "cli/listener_check/plan.h"
#include "cli/listener_check/verdict.h"
#include "cli/reference_file.h"
#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"
#include "keybroker/policy/listener.h"

namespace keybroker::cli {

// Shown is one line of the answer.
struct Shown {
  KeyTarget target;
  TlsVersion version;
  Verdict verdict;
};

// Check makes the handshakes of one command, and keeps account of what the broker signed meanwhile.
// What it is made of must outlive it.
class Check {
 public:
  Check(const config::Settings& settings, const policy::Listener& listener, const Plan& plan);

  // Run tries every key with every version, until the server as a whole is found at fault.
  Result<std::vector<Shown>> Run(const std::vector<KeyTarget>& targets);

  // ThroughBroker says whether the handshakes were signed for this listener: "ok", "unknown", or
  // "not-through-broker".
  Verdict ThroughBroker() const;

 private:
  Result<Verdict> Try(const KeyTarget& target, TlsVersion version);

  const config::Settings& settings_;
  const policy::Listener& listener_;
  const Plan& plan_;
  BrokerView broker_;  // after the latest handshake
  const BrokerView first_;
  int64_t made_ = 0;
  bool stopped_ = false;
};

}  // namespace keybroker::cli
