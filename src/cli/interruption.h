#pragma once

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

  // Finishing is the time of a step that is finished, once begun: a token that is cut off in the
  // middle of a change leaves what nobody knows. Neither copied nor moved.
  class Finishing {
   public:
    Finishing();
    ~Finishing();
    Finishing(const Finishing&) = delete;
    Finishing& operator=(const Finishing&) = delete;
  };

  // MustEnd tells whether what is under way is to be given up: when asked, but for a step that is
  // being finished only when asked again, or half a minute later.
  static bool MustEnd();

  // Forget is for a forked child: what its parent was asked is not its own.
  static void Forget();
};

}  // namespace keybroker::cli
