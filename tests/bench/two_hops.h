#pragma once

#include <sys/types.h>

#include "keybroker/base/unique_fd.h"
#include "support/pkcs11_client.h"

namespace keybroker::test {

// TwoHops signs through two processes that do nothing else: one passes each message on and back,
// the other signs with the module. Messages have the sizes of ours, on the same kind of socket. It
// is what two process boundaries cost on this machine, and so the least that any broker with a
// separate token process can cost: no framing, no identity, no policy, no audit, no epoll.
class TwoHops {
 public:
  // Start makes both processes, the second with target's key. They end with the TwoHops.
  static Result<TwoHops> Start(const Target& target);

  TwoHops(TwoHops&& other) noexcept;
  TwoHops& operator=(TwoHops&&) = delete;
  ~TwoHops();

  // Sign makes one signature, there and back.
  Status Sign();

 private:
  TwoHops() = default;

  UniqueFd relay_;
  pid_t pids_[2] = {-1, -1};
};

}  // namespace keybroker::test
