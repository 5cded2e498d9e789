#include "cli/interruption.h"

#include <atomic>
#include <ctime>
#include <initializer_list>

namespace keybroker::cli {
namespace {

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

std::atomic<bool> disregarded{false};
unsigned depth = 0;

}  // namespace

Interruption::Interruption() {
  if (depth++ > 0) return;
  const sigset_t signals = Endings();
  ::pthread_sigmask(SIG_BLOCK, &signals, &before_);
}

Interruption::~Interruption() {
  if (--depth > 0) return;
  const sigset_t signals = Endings();
  const timespec at_once{};
  while (::sigtimedwait(&signals, nullptr, &at_once) > 0) {
  }
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  disregarded = false;
}

void Interruption::Disregard() const { disregarded = true; }

bool Interruption::Asked() {
  if (disregarded) return false;
  sigset_t pending;
  if (::sigpending(&pending) != 0) return false;
  const sigset_t signals = Endings();
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    if (::sigismember(&pending, signal) == 1 && ::sigismember(&signals, signal) == 1) return true;
  }
  return false;
}

}  // namespace keybroker::cli
