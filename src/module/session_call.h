#pragma once

#include "module/process.h"

namespace keybroker::module {

// SessionCall is a Call on a session, which stays locked for as long: a session is for one thread
// at a time (PKCS#11 v2.40 usage guide, section 2.5.3), and this holds hosts to it.
class SessionCall {
 public:
  explicit SessionCall(CK_SESSION_HANDLE handle);
  ~SessionCall();
  SessionCall(const SessionCall&) = delete;
  SessionCall& operator=(const SessionCall&) = delete;

  // rv is CKR_OK when there is a session; else CKR_CRYPTOKI_NOT_INITIALIZED or
  // CKR_SESSION_HANDLE_INVALID.
  CK_RV rv() const { return rv_; }

  const Call& call() const { return call_; }
  Session& session() const { return *session_; }

  // Close ends the session.
  void Close();

 private:
  Call call_;
  Session* session_ = nullptr;
  CK_RV rv_ = CKR_CRYPTOKI_NOT_INITIALIZED;
};

}  // namespace keybroker::module
