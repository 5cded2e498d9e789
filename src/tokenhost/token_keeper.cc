#include "tokenhost/token_keeper.h"

#include <algorithm>
#include <utility>

#include "keybroker/base/log.h"

namespace keybroker::tokenhost {
namespace {

using std::chrono::milliseconds;
using wire::TokenState;

constexpr milliseconds kFirstRetry{250};
constexpr milliseconds kLastRetry{30'000};
constexpr size_t kMaxDetail = 3000;  // the wire takes 4096 bytes

bool ComesBack(TokenState state) {
  return state == TokenState::kAbsent || state == TokenState::kFailed;
}

std::string Join(const std::vector<std::string>& sentences) {
  std::string text;
  for (const std::string& sentence : sentences) {
    if (text.size() + sentence.size() > kMaxDetail) return text + "; and more";
    text += (text.empty() ? "" : "; ") + sentence;
  }
  return text;
}

}  // namespace

TokenKeeper::TokenKeeper(token::TokenConfig config, std::filesystem::path guard_directory,
                         Watchdog& watchdog, SessionPool& pool, StandingBoard& board)
    : name_(config.name),
      pool_(pool),
      board_(board),
      link_(std::move(config), std::move(guard_directory), watchdog) {}

TokenKeeper::~TokenKeeper() {
  {
    const std::lock_guard lock(wake_mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  pool_.CloseIdle();
  link_.Drop();
}

void TokenKeeper::Start(std::function<void()> attempted) {
  attempted_ = std::move(attempted);
  thread_ = std::thread([this] { Run(); });
}

void TokenKeeper::Run() {
  {
    const std::lock_guard lock(work_);
    if (!lent_) Attempt();
  }
  if (attempted_) attempted_();
  milliseconds backoff = kFirstRetry;
  for (;;) {
    const bool away = ComesBack(board_.Now()->state);
    if (!away) backoff = kFirstRetry;
    {
      std::unique_lock lock(wake_mutex_);
      const auto woken = [this] { return stopping_ || refresh_wanted_ || retry_now_; };
      if (away) {
        wake_.wait_for(lock, backoff, woken);
      } else {
        wake_.wait(lock, woken);
      }
      if (stopping_) return;
      refresh_wanted_ = retry_now_ = false;
    }
    if (away) backoff = std::min(backoff * 2, kLastRetry);
    Refresh(Clock::now());
  }
}

void TokenKeeper::Wake(bool refresh) {
  {
    const std::lock_guard lock(wake_mutex_);
    (refresh ? refresh_wanted_ : retry_now_) = true;
  }
  wake_.notify_all();
}

void TokenKeeper::RefreshSoon() { Wake(true); }

void TokenKeeper::Refresh(Clock::time_point asked) {
  const std::lock_guard lock(work_);
  if (lent_ || listed_ > asked) return;
  if (board_.Now()->ready()) {
    ListAndPost();
  } else {
    Attempt();
  }
}

void TokenKeeper::Attempt() {
  listed_ = Clock::now();
  if (auto status = link_.Connect(); !status) return PostFailure(status.error());
  ++epoch_;
  ListAndPost();
}

void TokenKeeper::ListAndPost() {
  listed_ = Clock::now();
  auto list = link_.List();
  if (!list) {
    const bool gone = RecoveryFor(list.error().rv) == Recovery::kFindToken;
    return PostFailure({gone ? TokenState::kAbsent : TokenState::kFailed, list.error()});
  }
  auto keys = std::make_shared<const ServedKeys>(ServedKeys::Build(*list));
  Standing standing;
  standing.state = TokenState::kReady;
  FillToken(standing);
  std::vector<std::string> remarks = keys->skipped();
  if (auto problem = link_.SourceProblem(); !problem.empty()) {
    remarks.insert(remarks.begin(), std::move(problem));
  }
  standing.detail = Join(remarks);
  standing.source = {epoch_, link_.token()->module(), link_.token()->info().slot};
  standing.keys = std::move(keys);
  board_.Post(std::move(standing));
}

void TokenKeeper::FillToken(Standing& standing) const {
  const token::Token* token = link_.token();
  if (token == nullptr) return;
  standing.label = token->info().label;
  standing.serial = token->info().serial;
  standing.model = token->info().model;
}

void TokenKeeper::PostFailure(const LinkFailure& failure) {
  Standing standing;
  standing.state = failure.state;
  standing.detail = failure.error.detail;
  standing.keys = board_.Now()->keys;
  FillToken(standing);
  board_.Post(std::move(standing));
  pool_.CloseIdle();
  // A locked token stays at hand for the operator's unlock; anything else starts from nothing.
  if (failure.state != TokenState::kLocked) link_.Drop();
}

void TokenKeeper::Recover(const StandingPtr& seen, Recovery recovery, const Error& error) {
  const std::lock_guard lock(work_);
  const StandingPtr now = board_.Now();
  if (!now->ready() || now->source.epoch != seen->source.epoch) return;
  switch (recovery) {
    case Recovery::kNone:
    case Recovery::kNewSession:
      return;
    case Recovery::kLogin:
      Log(LogLevel::kNotice, "token \"" + name_ + "\" wants a new login");
      return Attempt();
    case Recovery::kFindKeys:
      if (now->keys == seen->keys) ListAndPost();
      return;
    case Recovery::kFindToken:
      PostFailure({TokenState::kAbsent, error});
      return Wake(false);
    case Recovery::kWrongPin:
      return PostFailure({TokenState::kLocked, link_.RefusePin(error)});
  }
}

void TokenKeeper::Unlock(Secret pin) {
  const std::lock_guard lock(work_);
  if (lent_) return;
  // While it is logged in nothing can prove this PIN: it must not take the place of its source's.
  if (board_.Now()->ready() && link_.HasPinSource()) pin = Secret();
  if (auto status = link_.Unlock(std::move(pin)); !status) return PostFailure(status.error());
  if (!board_.Now()->ready()) Attempt();
}

Status TokenKeeper::BeginLoan(const std::string& borrower, Clock::time_point deadline) {
  std::unique_lock lock(work_);
  if (!returned_.wait_until(lock, deadline, [this] { return !lent_; })) {
    return Fail(Unavailable("another command has the token", CKR_FUNCTION_CANCELED));
  }
  lent_ = true;
  Standing standing;
  standing.state = TokenState::kLent;
  standing.detail = "in use by " + borrower + "; it is taken back when that ends";
  standing.keys = board_.Now()->keys;
  FillToken(standing);
  board_.Post(std::move(standing));
  return {};
}

Result<TokenKeeper::Loan> TokenKeeper::Lend(const std::string& borrower,
                                            Clock::time_point deadline) {
  KB_TRY(BeginLoan(borrower, deadline));
  Loan loan(*this);
  // Not under the lock: a signature that wants its own login still needs it to end.
  if (!pool_.Drain(deadline)) {
    return Fail(Unavailable("the token is still signing", CKR_FUNCTION_CANCELED));
  }
  const std::lock_guard lock(work_);
  link_.Drop();
  return loan;
}

void TokenKeeper::TakeBack() {
  {
    const std::lock_guard lock(work_);
    lent_ = false;
    pool_.Refill();
    Attempt();
    if (!board_.Now()->ready()) Wake(false);  // the keeper's thread goes on trying
  }
  returned_.notify_one();
}

Result<std::vector<uint8_t>> TokenKeeper::SignAuthenticated(
    const token::Session& session, CK_OBJECT_HANDLE key, CK_MECHANISM_TYPE mechanism,
    const std::optional<token::PssParameters>& pss, token::Bytes data) {
  const std::lock_guard lock(work_);
  if (lent_) return Fail(Unavailable("the token was let go of", CKR_SESSION_CLOSED));
  return link_.SignAuthenticated(session, key, mechanism, pss, data);
}

}  // namespace keybroker::tokenhost
