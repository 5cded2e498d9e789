#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "keybroker/base/result.h"
#include "keybroker/base/unique_fd.h"

namespace keybroker::cli {

// RunReadiness is the socket on which children say READY=1 (sd_notify(3)). Its name is abstract, so
// that children of any user reach it; who spoke is what the kernel says, not the message.
class RunReadiness {
 public:
  static Result<RunReadiness> Open();

  int fd() const { return fd_.get(); }
  const std::string& name() const { return name_; }  // for NOTIFY_SOCKET

  // Next gives the pid of the next process that said READY=1; nothing when none is waiting.
  std::optional<pid_t> Next() const;

 private:
  UniqueFd fd_;
  std::string name_;
};

}  // namespace keybroker::cli
