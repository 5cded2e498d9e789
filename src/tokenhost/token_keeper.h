#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

#include "keybroker/token/config.h"
#include "tokenhost/recovery.h"
#include "tokenhost/session_pool.h"
#include "tokenhost/standing_board.h"
#include "tokenhost/token_link.h"
#include "tokenhost/watchdog.h"

namespace keybroker::tokenhost {

// TokenKeeper brings the token up and keeps it up: it owns the login, lists the keys, posts the
// Standing, and tries again with backoff while token or module are away. All vendor calls but the
// signatures themselves are made under its one lock.
class TokenKeeper {
 public:
  using Clock = std::chrono::steady_clock;

  TokenKeeper(token::TokenConfig config, std::filesystem::path guard_directory, Watchdog& watchdog,
              SessionPool& pool, StandingBoard& board);
  ~TokenKeeper();
  TokenKeeper(const TokenKeeper&) = delete;
  TokenKeeper& operator=(const TokenKeeper&) = delete;

  // Start makes the first attempt on the keeper's own thread and then calls attempted once.
  void Start(std::function<void()> attempted);

  // RefreshSoon has the keeper's thread read the keys again, as SIGHUP asks.
  void RefreshSoon();

  // Refresh reads the keys again, or tries the token again when it is not ready. A reading that
  // began after asked is as good as another.
  void Refresh(Clock::time_point asked);

  // Recover mends what made a signature on seen fail. Does nothing when another thread has done so
  // since.
  void Recover(const StandingPtr& seen, Recovery recovery, const Error& error);

  // Unlock lifts the PIN guard and logs in (token_link.h).
  void Unlock(Secret pin);

  // Loan is the time for which the token is let go of; it is taken back when the Loan ends.
  class Loan {
   public:
    explicit Loan(TokenKeeper& keeper) : keeper_(&keeper) {}
    Loan(Loan&& other) noexcept : keeper_(std::exchange(other.keeper_, nullptr)) {}
    Loan& operator=(Loan&&) = delete;
    ~Loan() {
      if (keeper_ != nullptr) keeper_->TakeBack();
    }

   private:
    TokenKeeper* keeper_;
  };

  // Lend finishes the signatures in hand and gives up sessions, login and module, so that another
  // process can use a token that admits one. borrower is told to whoever asks how the token stands.
  // One Loan at a time. Unavailable: an earlier one, or a signature, lasted until the deadline.
  Result<Loan> Lend(const std::string& borrower, Clock::time_point deadline);

  // SignAuthenticated is TokenLink's, in turn with every other login.
  Result<std::vector<uint8_t>> SignAuthenticated(const token::Session& session,
                                                 CK_OBJECT_HANDLE key, CK_MECHANISM_TYPE mechanism,
                                                 const std::optional<token::PssParameters>& pss,
                                                 token::Bytes data);

 private:
  void Run();
  void TakeBack();
  Status BeginLoan(const std::string& borrower, Clock::time_point deadline);
  void Attempt();
  void ListAndPost();
  void PostFailure(const LinkFailure& failure);
  void FillToken(Standing& standing) const;
  void Wake(bool refresh);

  const std::string name_;
  SessionPool& pool_;
  StandingBoard& board_;

  std::mutex work_;  // held during vendor calls
  TokenLink link_;
  bool lent_ = false;  // to an operator's command: no vendor call until it is back
  std::condition_variable returned_;
  uint64_t epoch_ = 0;
  Clock::time_point listed_{};  // when the last reading of the keys began

  std::mutex wake_mutex_;
  std::condition_variable wake_;
  bool refresh_wanted_ = false;
  bool retry_now_ = false;
  bool stopping_ = false;
  std::function<void()> attempted_;
  std::thread thread_;
};

}  // namespace keybroker::tokenhost
