#include "tokenhost/standing_board.h"

#include "keybroker/base/log.h"
#include "keybroker/ipc/notify.h"
#include "keybroker/wire/token_admin.h"

namespace keybroker::tokenhost {
namespace {

// IsPassing is true for a state that ends by itself soon.
bool IsPassing(wire::TokenState state) {
  return state == wire::TokenState::kStarting || state == wire::TokenState::kLent;
}

std::string Describe(const std::string& token, const Standing& standing) {
  std::string text =
      "token \"" + token + "\" is " + std::string(wire::TokenStateName(standing.state));
  if (standing.ready()) text += ", " + std::to_string(standing.keys->size()) + " keys";
  if (!standing.detail.empty()) text += ": " + standing.detail;
  return text;
}

}  // namespace

StandingPtr StandingBoard::Now() const {
  const std::lock_guard lock(mutex_);
  return now_;
}

StandingPtr StandingBoard::Started(Clock::time_point deadline) const {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, deadline, [this] { return abandoned_ || !IsPassing(now_->state); });
  return now_;
}

void StandingBoard::Post(Standing standing) {
  const auto next = std::make_shared<const Standing>(std::move(standing));
  StandingPtr before;
  {
    const std::lock_guard lock(mutex_);
    before = now_;
    now_ = next;
  }
  changed_.notify_all();
  const bool same = before->state == next->state && before->detail == next->detail &&
                    before->keys->generation() == next->keys->generation();
  if (same) return;
  const std::string text = Describe(token_, *next);
  const bool wanted = next->ready() || next->state == wire::TokenState::kLent;
  Log(wanted ? LogLevel::kNotice : LogLevel::kError, text);
  ipc::Notify("STATUS=" + text);
}

void StandingBoard::Abandon() {
  {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
  }
  changed_.notify_all();
}

}  // namespace keybroker::tokenhost
