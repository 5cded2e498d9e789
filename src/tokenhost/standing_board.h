#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>

#include "tokenhost/standing.h"

namespace keybroker::tokenhost {

// StandingBoard is where the keeper posts the present Standing and everybody reads it. It never
// waits for the token, so that a status request is answered whatever a vendor call does.
class StandingBoard {
 public:
  using Clock = std::chrono::steady_clock;

  explicit StandingBoard(std::string token) : token_(std::move(token)) {}

  StandingPtr Now() const;

  // Started gives the Standing once it is neither kStarting nor kLent, or the present one at the
  // deadline.
  StandingPtr Started(Clock::time_point deadline) const;

  // Post makes standing the present one, and logs a change of state or detail once.
  void Post(Standing standing);

  // Abandon lets everybody who waits in Started go.
  void Abandon();

 private:
  const std::string token_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  StandingPtr now_ = std::make_shared<const Standing>();
  bool abandoned_ = false;
};

}  // namespace keybroker::tokenhost
