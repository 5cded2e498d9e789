#include "tokenhost/signer.h"

#include <algorithm>
#include <string>

#include "keybroker/cryptoki/names.h"
#include "tokenhost/recovery.h"
#include "tokenhost/sign_check.h"

namespace keybroker::tokenhost {
namespace {

using std::chrono::milliseconds;

// A session, a login and the handles may each be lost once, and once more in another thread.
constexpr int kAttempts = 5;

Error NotReady() { return Unavailable("the token is not ready", CKR_TOKEN_NOT_PRESENT); }

// DeadlineOf is the request's own deadline (CLOCK_MONOTONIC, which steady_clock is), capped.
Signer::Clock::time_point DeadlineOf(const wire::SignRequest& request, milliseconds cap) {
  const auto now = Signer::Clock::now();
  const auto latest = now + cap;
  const auto latest_ms = std::chrono::duration_cast<milliseconds>(latest.time_since_epoch());
  if (request.deadline_ms == 0 || request.deadline_ms >= static_cast<uint64_t>(latest_ms.count())) {
    return latest;
  }
  return Signer::Clock::time_point(milliseconds(request.deadline_ms));
}

// MayMend is false for what only the operator or nobody can mend.
bool MayMend(const Error& error) {
  if (error.rv == CKR_SESSION_COUNT) return true;  // the pool now waits instead
  const Recovery recovery = RecoveryFor(error.rv);
  return recovery == Recovery::kNewSession || recovery == Recovery::kLogin ||
         recovery == Recovery::kFindKeys;
}

}  // namespace

Result<std::vector<uint8_t>> Signer::Sign(const wire::SignRequest& request) {
  const auto deadline = DeadlineOf(request, watchdog_.limit());
  for (int attempt = 1;; ++attempt) {
    const StandingPtr standing = board_.Started(deadline);
    if (!standing->ready()) return Fail(NotReady());
    const ServedKey* key = standing->keys->Find(request.key);
    if (key == nullptr) return Fail(NotFound("no such key", CKR_KEY_HANDLE_INVALID));
    const SignVerdict verdict = CheckSign(*key, request);
    if (verdict.rv != CKR_OK) return Fail(Malformed("outside the closed set", verdict.rv));
    if (Clock::now() >= deadline) {
      return Fail(Unavailable("the deadline passed", wire::kDeadlinePassed));
    }
    auto signature = SignOnce(standing, *key, request, verdict.pss, deadline);
    if (signature) return signature;
    // What was let go of on purpose comes back by itself.
    if (board_.Now()->state != wire::TokenState::kLent) Mend(standing, signature.error());
    if (attempt == kAttempts || !MayMend(signature.error())) return signature;
  }
}

Result<std::vector<uint8_t>> Signer::SignOnce(const StandingPtr& standing, const ServedKey& key,
                                              const wire::SignRequest& request,
                                              const std::optional<token::PssParameters>& pss,
                                              Clock::time_point deadline) {
  KB_ASSIGN(SessionPool::Lease lease, pool_.Borrow(standing->source, deadline));
  auto signature = CallToken(lease.session(), key, request, pss);
  if (signature && signature->size() != cryptoki::SignatureSize(key.type, key.bits)) {
    signature = Fail(TokenFailed("the signature has " + std::to_string(signature->size()) +
                                     " bytes, which this key cannot give",
                                 CKR_DEVICE_ERROR));
  }
  // A session in which anything went wrong is not trusted with another operation.
  if (!signature) lease.Discard();
  return signature;
}

Result<std::vector<uint8_t>> Signer::CallToken(const token::Session& session, const ServedKey& key,
                                               const wire::SignRequest& request,
                                               const std::optional<token::PssParameters>& pss) {
  if (key.always_authenticate) {
    return keeper_.SignAuthenticated(session, key.handle, request.mechanism, pss, request.data);
  }
  const Watchdog::Call call(watchdog_, "C_Sign");
  return session.Sign(key.handle, request.mechanism, pss, request.data);
}

void Signer::Mend(const StandingPtr& standing, const Error& error) {
  lines_.Log(LogLevel::kWarning, std::string("a signature failed: ") + error.detail + " [" +
                                     cryptoki::RvName(error.rv) + "]");
  Recovery recovery = RecoveryFor(error.rv);
  // The PIN guard's refusal: an always-authenticate key cannot be used until the operator says so.
  if (recovery == Recovery::kNone && error.code == ErrorCode::kDenied) {
    recovery = Recovery::kWrongPin;
  }
  keeper_.Recover(standing, recovery, error);
}

}  // namespace keybroker::tokenhost
