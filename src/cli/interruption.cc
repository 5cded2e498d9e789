#include "cli/interruption.h"

#include <signal.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <initializer_list>

namespace keybroker::cli {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kPatience = std::chrono::seconds(30);

// Endings are those that would end this process: nohup has SIGHUP ignored, a shell SIGINT in what
// it puts into the background.
sigset_t Endings() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction now {};
    if (::sigaction(signal, nullptr, &now) == 0 && now.sa_handler != SIG_IGN) {
      ::sigaddset(&signals, signal);
    }
  }
  return signals;
}

std::atomic<unsigned> signals_arrived{0};
std::atomic<Clock::rep> first_arrived{0};
std::atomic<unsigned> steps_finishing{0};
unsigned interruption_depth = 0;
sigset_t mask_before;  // the first one's

// Take counts what is pending: only what is held back ever is.
void Take() {
  const sigset_t signals = Endings();
  const timespec at_once{};
  while (::sigtimedwait(&signals, nullptr, &at_once) > 0) {
    Clock::rep none = 0;
    first_arrived.compare_exchange_strong(none, Clock::now().time_since_epoch().count());
    ++signals_arrived;
  }
}

}  // namespace

Interruption::Interruption() {
  if (interruption_depth++ > 0) return;
  const sigset_t signals = Endings();
  ::pthread_sigmask(SIG_BLOCK, &signals, &mask_before);
}

Interruption::~Interruption() {
  if (--interruption_depth > 0) return;
  Take();
  ::pthread_sigmask(SIG_SETMASK, &mask_before, nullptr);
  signals_arrived = 0;
  first_arrived = 0;
}

bool Interruption::Asked() {
  Take();
  return signals_arrived > 0;
}

Interruption::Finishing::Finishing() { ++steps_finishing; }
Interruption::Finishing::~Finishing() { --steps_finishing; }

bool Interruption::MustEnd() {
  if (!Asked()) return false;
  if (steps_finishing == 0 || signals_arrived > 1) return true;
  return Clock::now() - Clock::time_point(Clock::duration(first_arrived)) > kPatience;
}

void Interruption::Forget() {
  signals_arrived = 0;
  first_arrived = 0;
  steps_finishing = 0;
  interruption_depth = 0;
}

}  // namespace keybroker::cli
