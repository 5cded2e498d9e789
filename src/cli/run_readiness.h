#pragma once

#include "keybroker/base/result.h"
#include "keybroker/base/unique_fd.h"

namespace keybroker::cli {

// RunReadiness is where one child says READY=1 (ipc::Notify): a pair of sockets of which the child
// inherits one, so that nobody else can say it, or be in the way. A fresh one is closed.
class RunReadiness {
 public:
  static Result<RunReadiness> Open();

  int fd() const { return ours_.get(); }  // -1: the child has closed its end
  int childs() const { return childs_.get(); }
  void KeepOurs() { childs_.Reset(); }

  // Take reads what waits there, no more than a few messages, and tells whether one said READY=1.
  bool Take();

 private:
  UniqueFd ours_;
  UniqueFd childs_;
};

}  // namespace keybroker::cli
