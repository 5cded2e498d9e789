#pragma once

#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/wire/sign.h"
#include "tokenhost/line_budget.h"
#include "tokenhost/token_keeper.h"

namespace keybroker::tokenhost {

// Signer makes signatures: judges the request, borrows a session, and mends what the token lost on
// the way (session, login, handles), so that the broker sees a slower answer and no error.
// Thread-safe.
class Signer {
 public:
  using Clock = std::chrono::steady_clock;

  Signer(TokenKeeper& keeper, StandingBoard& board, SessionPool& pool, Watchdog& watchdog)
      : keeper_(keeper), board_(board), pool_(pool), watchdog_(watchdog) {}

  // Sign gives a signature of cryptoki::SignatureSize bytes. Unavailable with
  // CKR_TOKEN_NOT_PRESENT: the token is not ready; with wire::kDeadlinePassed: so it has. NotFound:
  // no such key. Malformed: outside the closed set. TokenFailed: the token's CK_RV. Waits no longer
  // than the request's deadline or the hang limit, whichever ends first.
  Result<std::vector<uint8_t>> Sign(const wire::SignRequest& request);

 private:
  Result<std::vector<uint8_t>> SignOnce(const StandingPtr& standing, const ServedKey& key,
                                        const wire::SignRequest& request,
                                        const std::optional<token::PssParameters>& pss,
                                        Clock::time_point deadline);
  Result<std::vector<uint8_t>> CallToken(const token::Session& session, const ServedKey& key,
                                         const wire::SignRequest& request,
                                         const std::optional<token::PssParameters>& pss);
  void Mend(const StandingPtr& standing, const Error& error);

  TokenKeeper& keeper_;
  StandingBoard& board_;
  SessionPool& pool_;
  Watchdog& watchdog_;
  LineBudget lines_;
};

}  // namespace keybroker::tokenhost
