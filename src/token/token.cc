#include "keybroker/token/token.h"

#include <utility>

#include "token/token_info.h"

namespace keybroker::token {
namespace {

std::string Describe(const std::vector<TokenInfo>& tokens) {
  std::string text;
  for (const TokenInfo& info : tokens) {
    text += text.empty() ? "" : ", ";
    text += (info.flags & CKF_TOKEN_INITIALIZED) == 0
                ? "one that is not initialised"
                : "\"" + info.label + "\" (serial " + info.serial + ")";
  }
  return text.empty() ? "the module shows no token at all" : "the module shows " + text;
}

bool Fits(const TokenInfo& info, const TokenConfig& config) {
  return info.label == config.label && (config.serial.empty() || info.serial == config.serial);
}

// WhatToDo follows the list of what there is: a typing error is as likely as a new token.
std::string WhatToDo(const TokenConfig& config, size_t tokens, size_t blank) {
  const std::string init = "make a new token of this label: keybroker token init " + config.name;
  const std::string correct = "correct label and serial in the token's file";
  if (tokens == 0) return ". Plug the token in, or look at the vendor module's configuration";
  if (blank == 0) return ". Plug that token in, or " + correct;
  return tokens == blank ? ". To " + init : ". Either " + correct + ", or " + init;
}

Result<TokenInfo> Choose(const std::vector<TokenInfo>& tokens, const TokenConfig& config) {
  std::vector<TokenInfo> fitting;
  size_t blank = 0;
  for (const TokenInfo& info : tokens) {
    if (Fits(info, config)) fitting.push_back(info);
    if ((info.flags & CKF_TOKEN_INITIALIZED) == 0) ++blank;
  }
  const std::string wanted = "label \"" + config.label + "\"" +
                             (config.serial.empty() ? "" : " and serial " + config.serial);
  if (fitting.size() > 1) {
    return Fail(Conflict("two tokens have the " + wanted + ": " + Describe(fitting) +
                         "; set \"serial\" in the token's file"));
  }
  if (fitting.empty()) {
    return Fail(NotFound("no token has the " + wanted + "; " + Describe(tokens) +
                             WhatToDo(config, tokens.size(), blank),
                         CKR_TOKEN_NOT_PRESENT));
  }
  if ((fitting[0].flags & CKF_TOKEN_INITIALIZED) == 0) {
    return Fail(
        Unavailable("the token is there but not initialised: keybroker token init " + config.name,
                    CKR_TOKEN_NOT_RECOGNIZED));
  }
  return fitting[0];
}

}  // namespace

Result<Token> Token::Find(std::shared_ptr<Module> module, const TokenConfig& config) {
  KB_ASSIGN(const auto tokens, ListTokens(*module));
  KB_ASSIGN(TokenInfo info, Choose(tokens, config));
  Token token;
  token.module_ = std::move(module);
  token.info_ = std::move(info);
  return token;
}

Status Token::Refresh() {
  KB_ASSIGN(TokenInfo info, ReadTokenInfo(*module_, info_.slot));
  if (info.serial != info_.serial) {
    return Fail(Unavailable("another token is in the slot now", CKR_TOKEN_NOT_PRESENT));
  }
  info_ = std::move(info);
  return {};
}

Status Token::Login(const Secret& pin, PinGuard& guard) {
  KB_TRY(Refresh());
  // A session of its own each time: the last one may have died with a token that was reset.
  KB_ASSIGN(Session session, Session::Open(module_, info_.slot, false));
  KB_TRY(guard.Begin(info_.flags));
  const auto bytes = pin.Expose();
  CK_RV rv = module_->api().C_Login(session.handle(), CKU_USER, const_cast<uint8_t*>(bytes.data()),
                                    bytes.size());
  if (rv == CKR_USER_ALREADY_LOGGED_IN) rv = CKR_OK;
  const Status recorded = guard.End(rv);
  KB_TRY(CheckRv("C_Login", rv));
  KB_TRY(recorded);
  login_session_ = std::make_shared<Session>(std::move(session));
  return {};
}

Result<Session> Token::OpenSession(bool read_write) const {
  if (read_write && (info_.flags & CKF_WRITE_PROTECTED) != 0) {
    return Fail(Denied("the token \"" + info_.label +
                           "\" is write-protected (CKF_WRITE_PROTECTED), so it was left as it is: "
                           "it can sign, but nothing on it can change. Take the protection off "
                           "(the vendor's manual says how), or use another token",
                       CKR_TOKEN_WRITE_PROTECTED));
  }
  return Session::Open(module_, info_.slot, read_write);
}

Status Token::ChangePin(const Secret& old_pin, const Secret& new_pin, PinGuard& guard) {
  KB_TRY(Refresh());
  KB_TRY(CheckPinLength("new PIN", new_pin, info_));
  KB_ASSIGN(const Session session, OpenSession(true));
  KB_TRY(guard.Begin(info_.flags));
  const auto from = old_pin.Expose();
  const auto to = new_pin.Expose();
  const CK_RV rv = module_->api().C_SetPIN(session.handle(), const_cast<uint8_t*>(from.data()),
                                           from.size(), const_cast<uint8_t*>(to.data()), to.size());
  // These may speak of the new PIN; only a wrong old one is a spent try.
  const bool about_new = rv == CKR_PIN_INVALID || rv == CKR_PIN_LEN_RANGE;
  Status recorded = guard.End(about_new ? CKR_FUNCTION_FAILED : rv);
  KB_TRY(CheckRv("C_SetPIN", rv));
  return recorded;
}

}  // namespace keybroker::token
