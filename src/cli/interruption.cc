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

std::atomic<unsigned> arrived{0};
std::atomic<Clock::rep> first{0};
std::atomic<unsigned> finishing{0};
unsigned depth = 0;
sigset_t before;  // the first one's

// Take counts what is pending: only what is held back ever is.
void Take() {
  const sigset_t signals = Endings();
  const timespec at_once{};
  while (::sigtimedwait(&signals, nullptr, &at_once) > 0) {
    Clock::rep none = 0;
    first.compare_exchange_strong(none, Clock::now().time_since_epoch().count());
    ++arrived;
  }
}

}  // namespace

Interruption::Interruption() {
  if (depth++ > 0) return;
  const sigset_t signals = Endings();
  ::pthread_sigmask(SIG_BLOCK, &signals, &before);
}

Interruption::~Interruption() {
  if (--depth > 0) return;
  Take();
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  arrived = 0;
  first = 0;
}

bool Interruption::Asked() {
  Take();
  return arrived > 0;
}

Interruption::Finishing::Finishing() { ++finishing; }
Interruption::Finishing::~Finishing() { --finishing; }

bool Interruption::MustEnd() {
  if (!Asked()) return false;
  if (finishing == 0 || arrived > 1) return true;
  return Clock::now() - Clock::time_point(Clock::duration(first)) > kPatience;
}

void Interruption::Forget() {
  arrived = 0;
  first = 0;
  finishing = 0;
  depth = 0;
}

}  // namespace keybroker::cli
