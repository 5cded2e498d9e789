#include "broker/token_gate.h"

#include <chrono>
#include <utility>

#include "broker/clock.h"

namespace keybroker::broker {

uint64_t TokenGate::NoteLoss(Loss loss, std::string_view why) {
  uint64_t since = 0;
  bool begins = false;
  {
    std::lock_guard lock(mutex_);
    begins = !away_.load(std::memory_order_relaxed);
    if (begins) {
      away_since_ms_ = MonotonicMs();
      loss_ = loss;
      away_.store(true, std::memory_order_release);
    } else if (loss == Loss::kToken) {
      loss_ = loss;  // somebody answers again, and says what it is about the token
    }
    since = away_since_ms_;
  }
  if (begins) {
    lines_.Write(LogLevel::kWarning, "token " + name_ + " is away: " + std::string(why) +
                                         "; requests for its keys wait up to " +
                                         std::to_string(budget_ms_) +
                                         " ms, then fail until it is back");
    Wake();
  }
  return since + budget_ms_;
}

void TokenGate::End() {
  uint64_t lasted = 0;
  {
    std::lock_guard lock(mutex_);
    if (!away_.load(std::memory_order_relaxed)) return;
    away_.store(false, std::memory_order_release);
    lasted = MonotonicMs() - away_since_ms_;
  }
  ended_.notify_all();
  lines_.Write(LogLevel::kNotice,
               "token " + name_ + " is back after " + std::to_string(lasted) + " ms");
}

void TokenGate::NoteConnected() {
  if (!away()) return;
  {
    std::lock_guard lock(mutex_);
    if (loss_ != Loss::kConnection) return;
  }
  End();
}

void TokenGate::NoteWorking() {
  if (away()) End();
}

bool TokenGate::unreachable() const {
  std::lock_guard lock(mutex_);
  return away_.load(std::memory_order_relaxed) && loss_ == Loss::kConnection;
}

uint64_t TokenGate::AwayForMs() const {
  std::lock_guard lock(mutex_);
  return away_.load(std::memory_order_relaxed) ? MonotonicMs() - away_since_ms_ + 1 : 0;
}

void TokenGate::WaitForEnd(uint64_t for_ms) {
  std::unique_lock lock(mutex_);
  ended_.wait_for(lock, std::chrono::milliseconds(for_ms),
                  [this] { return !away_.load(std::memory_order_relaxed); });
}

std::shared_ptr<const TokenCatalogue> TokenGate::catalogue() const {
  return catalogue_.With([](const auto& catalogue) { return catalogue; });
}

void TokenGate::SetCatalogue(std::shared_ptr<const TokenCatalogue> catalogue) {
  generation_.store(catalogue->generation);
  catalogue_.With([&](auto& held) { held = std::move(catalogue); });
}

void TokenGate::NoteGeneration(uint64_t generation) {
  if (generation_.load(std::memory_order_relaxed) != generation) Wake();
}

void TokenGate::SetWake(std::function<void()> wake) {
  wake_.With([&](auto& held) { held = std::move(wake); });
}

void TokenGate::Wake() {
  wake_.With([](const auto& wake) {
    if (wake) wake();
  });
}

TokenReport TokenGate::report() const {
  return report_.With([](const TokenReport& report) { return report; });
}

void TokenGate::SetReport(TokenReport report) {
  report_.With([&](TokenReport& held) { held = std::move(report); });
}

}  // namespace keybroker::broker
