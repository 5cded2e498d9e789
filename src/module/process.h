#pragma once

#include <atomic>
#include <cstdint>

#include "keybroker/cryptoki/cryptoki.h"
#include "module/fork_mark.h"
#include "module/mutex.h"
#include "module/outage.h"
#include "module/pool.h"
#include "module/session_table.h"
#include "module/socket_path.h"
#include "module/view.h"

namespace keybroker::module {

// Process is all that the module keeps: one for each process, never destroyed.
struct Process {
  ForkMark fork_mark;
  std::atomic<uint64_t> epoch{0};      // odd between C_Initialize and C_Finalize
  std::atomic<bool> inherited{false};  // initialised by the process this one was forked from
  std::atomic<bool> logged_in{false};
  SessionTable sessions;

  Mutex mutex;  // what follows, and changes of epoch; never held while waiting
  SocketPath path;
  Pool pool;
  Outage outage;
  Outage losses;  // requests that got no answer on connections that were made
  View view;

  // Settle makes the state that of this process: after a fork nothing that a thread of the parent
  // may have held or been changing is believed.
  void Settle();
};

// TheProcess is the only one.
Process& TheProcess();

// Call is made first in every entry of the module: it notices a fork, before any lock, and
// remembers under which C_Initialize the call began.
class Call {
 public:
  Call();

  // initialized: the call may go on; else CKR_CRYPTOKI_NOT_INITIALIZED.
  bool initialized() const { return (epoch_ & 1) != 0; }

  // alive turns false when C_Finalize comes while the call is under way.
  bool alive() const { return process_.epoch.load() == epoch_; }

  Process& process() const { return process_; }

 private:
  Process& process_;
  uint64_t epoch_;
};

}  // namespace keybroker::module
