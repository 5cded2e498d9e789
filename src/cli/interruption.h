#pragma once

#include <signal.h>

namespace keybroker::cli {

// Interruption holds back what asks this process to end (SIGINT, SIGTERM, SIGHUP) while it lives,
// so that a command with many steps can stop between two of them and say how far it came. Whoever
// is started meanwhile must not inherit that (RunAsUser's children do not). One within another
// changes nothing. Neither copied nor moved; of the command's own thread.
class Interruption {
 public:
  Interruption();
  ~Interruption();  // what arrived is answered by then: it is taken off
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;

  // Asked tells whether one has arrived, to any thread that was started meanwhile too.
  static bool Asked();

  // Disregard has Asked say no from now on, to the end of this object: what was begun is finished.
  void Disregard() const;

 private:
  sigset_t before_;
};

}  // namespace keybroker::cli
