#include "module/process.h"

namespace keybroker::module {
namespace {

constinit Process g_process;

}  // namespace

Process& TheProcess() { return g_process; }

void Process::Settle() {
  mutex.Recreate();
  pool.DropInherited();
  sessions.RecreateAfterFork();
  outage.End();
  losses.End();
  view.Doubt();
  inherited = (epoch.load() & 1) != 0;
}

Call::Call() : process_(g_process) {
  if (process_.fork_mark.MustSettle()) {
    process_.Settle();
    process_.fork_mark.Settled();
  }
  epoch_ = process_.epoch.load();
}

}  // namespace keybroker::module
