#include "module/session_call.h"

namespace keybroker::module {

SessionCall::SessionCall(CK_SESSION_HANDLE handle) {
  if (!call_.initialized()) return;
  rv_ = CKR_SESSION_HANDLE_INVALID;
  session_ = call_.process().sessions.Lock(handle);
  if (session_ == nullptr) return;
  session_->busy = true;
  rv_ = CKR_OK;
}

SessionCall::~SessionCall() {
  if (session_ == nullptr) return;
  session_->busy = false;
  session_->mutex.Unlock();
}

void SessionCall::Close() {
  call_.process().sessions.CloseLocked(*session_);
  session_ = nullptr;
}

}  // namespace keybroker::module
