#include "support/soft_token.h"

#include <cstdio>
#include <cstdlib>

#include "support/token_modules.h"

namespace keybroker::test {
namespace {

template <typename T>
T Must(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "soft token: %s\n", result.error().detail.c_str());
    std::abort();
  }
  return std::move(*result);
}

void MustStatus(const Status& status) {
  if (!status) {
    std::fprintf(stderr, "soft token: %s\n", status.error().detail.c_str());
    std::abort();
  }
}

}  // namespace

Secret TestSecret(std::string_view text) { return Must(Secret::CopyFrom(text)); }

token::Token SoftToken::Open() const {
  return Must(token::Token::Find(Must(token::Module::Load(config_)), config_));
}

token::Token SoftToken::LogIn() const {
  token::Token token = Open();
  token::PinGuard guard = Must(token::PinGuard::Open(GuardDir(), token.info().serial, "soft"));
  MustStatus(token.Login(TestSecret(kUserPin), guard));
  return token;
}

SoftHsmToken::SoftHsmToken() {
  const auto tokens = dir_ / "tokens";
  std::filesystem::create_directory(tokens);
  WriteAll(dir_ / "softhsm2.conf", "directories.tokendir = " + tokens.string() +
                                       "\nobjectstore.backend = file\nlog.level = ERROR\n");
  config_.name = "main";
  config_.module = SoftHsmModule();
  config_.label = "kb";
  config_.environment["SOFTHSM2_CONF"] = (dir_ / "softhsm2.conf").string();
  AddToken("kb");
}

void SoftHsmToken::AddToken(std::string_view label) {
  const auto module = Must(token::Module::Load(config_));
  for (const token::TokenInfo& info : Must(token::ListTokens(*module))) {
    if ((info.flags & CKF_TOKEN_INITIALIZED) != 0) continue;
    MustStatus(token::InitToken(*module, info.slot, label, TestSecret(kSoPin), TestSecret(kUserPin),
                                false));
    return;
  }
  std::abort();
}

NewNssDatabase::NewNssDatabase() {
  config_.name = "nss";
  config_.module = NssModule();
  config_.label = "NSS Certificate DB";
  config_.init_args = "configdir='sql:" + dir_.path().string() +
                      "' certPrefix='' keyPrefix='' secmod='secmod.db' flags=";
}

NssToken::NssToken() {
  WriteAll(dir_ / "password", std::string(kUserPin) + "\n");
  const std::string command = "certutil -N -d sql:" + dir_.path().string() + " -f " +
                              (dir_ / "password").string() + " >/dev/null 2>&1";
  if (std::system(command.c_str()) != 0) std::abort();
}

std::unique_ptr<SoftToken> MakeSoftToken(const std::string& kind) {
  if (kind == "nss") return std::make_unique<NssToken>();
  return std::make_unique<SoftHsmToken>();
}

}  // namespace keybroker::test
