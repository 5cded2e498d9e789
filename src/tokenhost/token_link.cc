#include "tokenhost/token_link.h"

#include <utility>

#include "keybroker/token/pin_guard.h"
#include "keybroker/token/pin_source.h"
#include "tokenhost/recovery.h"

namespace keybroker::tokenhost {
namespace {

using wire::TokenState;

// A start-up or a listing makes many vendor calls under one mark.
constexpr unsigned kStartUpCalls = 6;
constexpr unsigned kLoginCalls = 3;
constexpr unsigned kListCalls = 10;

tl::unexpected<LinkFailure> Failed(Error error) {
  TokenState state = TokenState::kFailed;
  if (error.code == ErrorCode::kNotFound || error.code == ErrorCode::kUnavailable ||
      RecoveryFor(error.rv) == Recovery::kFindToken) {
    state = TokenState::kAbsent;
  }
  return tl::unexpected<LinkFailure>({state, std::move(error)});
}

}  // namespace

TokenLink::TokenLink(token::TokenConfig config, std::filesystem::path guard_directory,
                     Watchdog& watchdog)
    : config_(std::move(config)),
      guard_directory_(std::move(guard_directory)),
      watchdog_(watchdog) {}

Result<std::shared_ptr<token::Module>> TokenLink::LoadModule() {
  const Watchdog::Call call(watchdog_, "C_Initialize", kStartUpCalls);
  // Only when nobody else owns the module can nobody finalise the new one behind our back.
  if (stale_ && module_.use_count() == 1) module_.reset();
  if (module_ != nullptr) return module_;
  KB_ASSIGN(module_, token::Module::Load(config_));
  stale_ = false;
  return module_;
}

Result<void, LinkFailure> TokenLink::FindToken(std::optional<token::Token>& found) {
  auto module = LoadModule();
  // A module that is not there is a wrong configuration, not a token that may come.
  if (!module) return tl::unexpected<LinkFailure>({TokenState::kFailed, module.error()});
  const Watchdog::Call call(watchdog_, "C_GetTokenInfo", kStartUpCalls);
  auto token = token::Token::Find(std::move(*module), config_);
  if (!token) return Failed(std::move(token).error());
  found.emplace(std::move(*token));
  return {};
}

Result<void, LinkFailure> TokenLink::Connect() {
  std::optional<token::Token> fresh;
  if (auto status = FindToken(fresh); !status) return status;
  auto status = LogIn(*fresh);
  {
    const Watchdog::Call call(watchdog_, "C_CloseSession");
    token_ = std::move(fresh);
  }
  if (status) return {};
  if (status.error().code == ErrorCode::kDenied) {
    return tl::unexpected<LinkFailure>({TokenState::kLocked, std::move(status).error()});
  }
  return Failed(std::move(status).error());
}

Error TokenLink::NoPin() const {
  return Denied("its PIN is not known: run `keybroker token unlock " + config_.name +
                "`, or set pin_file or pin_credential in its file");
}

Status TokenLink::FetchPin() {
  if (pin_ && pin_from_operator_) return {};
  auto read = token::ReadPin(config_);
  if (read && *read) {
    pin_ = std::move(**read);
    return {};
  }
  if (pin_) return {};  // the source is gone; what it said before still counts
  if (!read) {
    return Fail(Denied("its PIN source cannot be read: " + read.error().detail +
                       "; repair it and run `keybroker token unlock " + config_.name +
                       " --again`"));
  }
  return Fail(NoPin());
}

Status TokenLink::LogIn(token::Token& token) {
  if (!pin_refused_.empty()) return Fail(Denied(pin_refused_));
  KB_TRY(FetchPin());
  KB_ASSIGN(token::PinGuard guard,
            token::PinGuard::Open(guard_directory_, token.info().serial, config_.name));
  auto status = [&] {
    const Watchdog::Call call(watchdog_, "C_Login", kLoginCalls);
    return token.Login(*pin_, guard);
  }();
  NoteLogin(status);
  // The guard's own refusal has no CK_RV and tried nothing; the guard will say the same again.
  if (!status && RecoveryFor(status.error().rv) == Recovery::kWrongPin) {
    return Fail(RefusePin(std::move(status).error()));
  }
  return status;
}

void TokenLink::NoteLogin(const Status& status) {
  if (status) opened_by_operator_ = pin_from_operator_;
  if (pin_from_operator_) return;
  if (status) {
    source_fate_.clear();
  } else if (status.error().code == ErrorCode::kDenied) {
    source_fate_ = status.error().rv == 0 ? "was held back by the PIN guard" : "was refused";
  }
}

std::string TokenLink::PinSource() const {
  if (!config_.pin_file.empty()) return config_.pin_file.string();
  return "the systemd credential \"" + config_.pin_credential + "\"";
}

std::string TokenLink::SourceProblem() const {
  if (!opened_by_operator_ || !pin_ || !HasPinSource()) return {};
  std::string text = "it is open by a PIN that was typed; ";
  const auto read = token::ReadPin(config_);
  if (!read || !*read) {
    return text + "at its next start the tokenhost is locked again, because the PIN of " +
           PinSource() + " cannot be read" + (read ? "" : " (" + read.error().detail + ")");
  }
  if ((*read)->Equals(*pin_)) return {};
  text += "the one in " + PinSource() + " is another, which " +
          (source_fate_.empty() ? "was not tried" : source_fate_);
  return text +
         ": at its next start the tokenhost tries that one, and is locked again if it is wrong. "
         "Put "
         "the right one there, then run `keybroker reload`";
}

Result<void, LinkFailure> TokenLink::Unlock(Secret pin) {
  if (!token_) {
    std::optional<token::Token> fresh;
    if (auto status = FindToken(fresh); !status) return status;
    token_ = std::move(fresh);
  }
  auto status = [&]() -> Status {
    KB_ASSIGN(token::PinGuard guard,
              token::PinGuard::Open(guard_directory_, token_->info().serial, config_.name));
    return guard.Allow();
  }();
  if (!status) return Failed(std::move(status).error());
  pin_refused_.clear();
  pin_from_operator_ = !pin.empty();
  if (pin_from_operator_) pin_ = std::move(pin);
  return {};
}

Result<token::KeyList> TokenLink::List() {
  KB_ASSIGN(token::Session session, [&] {
    const Watchdog::Call call(watchdog_, "C_OpenSession");
    return token_->OpenSession(false);
  }());
  const Watchdog::Call call(watchdog_, "C_FindObjects", kListCalls);
  auto keys = token::ListKeys(session);
  [[maybe_unused]] const token::Session closed_within_the_mark(std::move(session));
  return keys;
}

Result<std::vector<uint8_t>> TokenLink::SignAuthenticated(
    const token::Session& session, CK_OBJECT_HANDLE key, CK_MECHANISM_TYPE mechanism,
    const std::optional<token::PssParameters>& pss, token::Bytes data) {
  if (!token_ || !pin_) return Fail(NoPin());
  const Watchdog::Call call(watchdog_, "C_Login or C_Sign", kLoginCalls);
  KB_TRY(token_->Refresh());
  KB_ASSIGN(token::PinGuard guard,
            token::PinGuard::Open(guard_directory_, token_->info().serial, config_.name));
  KB_TRY(guard.Begin(token_->info().flags));
  auto signature = session.Sign(key, mechanism, pss, data, &*pin_);
  KB_TRY(guard.End(signature ? CK_RV{CKR_OK} : CK_RV{signature.error().rv}));
  return signature;
}

Error TokenLink::RefusePin(Error error) {
  pin_.reset();
  pin_from_operator_ = false;
  error.code = ErrorCode::kDenied;
  if (error.detail.find("token unlock") == std::string::npos) {
    error.detail += "; no PIN is tried until you run `keybroker token unlock " + config_.name + "`";
  }
  pin_refused_ = error.detail;
  return error;
}

void TokenLink::Drop() {
  const Watchdog::Call call(watchdog_, "C_Finalize");
  token_.reset();
  stale_ = true;
  if (module_.use_count() == 1) module_.reset();
}

}  // namespace keybroker::tokenhost
