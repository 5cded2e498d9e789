#include "cli/scratch_token.h"

#include <openssl/rand.h>
#include <unistd.h>

#include <system_error>

#include "keybroker/base/file.h"
#include "keybroker/base/hex.h"
#include "keybroker/token/module.h"
#include "keybroker/token/pin_guard.h"

namespace keybroker::cli {
namespace {

constexpr char kScratchLabel[] = "keybroker-drill";

// How long SoftHSM may take for all that it is asked in one go. A limit, not a wait.
constexpr unsigned kVendorLimitSeconds = 120;

}  // namespace

Result<Json> RunVendorPart(const std::vector<const Secret*>& secrets, const TokenWork& work) {
  return RunAsUser("", secrets, [&](const std::vector<Secret>& received) {
    ::alarm(kVendorLimitSeconds);
    return work(received);
  });
}

Result<Secret> RandomPin() {
  uint8_t bytes[16];
  if (RAND_bytes(bytes, sizeof bytes) != 1) return Fail(Internal("no random bytes"));
  return Secret::CopyFrom(Hex(bytes));
}

Result<token::TokenConfig> ScratchTokenConfig(const std::filesystem::path& folder,
                                              const std::string& module) {
  token::TokenConfig config;
  config.name = "drill";
  config.module = module;
  config.label = kScratchLabel;
  config.profile = "softhsm2";
  config.environment["SOFTHSM2_CONF"] = folder / "softhsm2.conf";
  std::error_code error;
  std::filesystem::create_directory(folder / "objects", error);
  if (error) return Fail(SystemError("cannot make a folder in " + folder.string(), error.value()));
  KB_TRY(WriteFileAtomically(folder / "softhsm2.conf",
                             "directories.tokendir = " + (folder / "objects").string() +
                                 "\nobjectstore.backend = file\nlog.level = ERROR\n",
                             0600));
  return config;
}

Result<token::Token> MakeScratchToken(const token::TokenConfig& config,
                                      const std::filesystem::path& folder, const Secret& pin) {
  KB_ASSIGN(const Secret so_pin, RandomPin());
  KB_ASSIGN(auto module, token::Module::Load(config));
  KB_ASSIGN(const auto tokens, token::ListTokens(*module));
  if (tokens.empty()) return Fail(Internal("SoftHSM shows no slot for the drill's token"));
  KB_TRY(token::InitToken(*module, tokens.front().slot, kScratchLabel, so_pin, pin, false));
  KB_ASSIGN(auto token, token::Token::Find(std::move(module), config));
  KB_ASSIGN(auto guard, token::PinGuard::Open(folder / "guard", token.info().serial, config.name));
  KB_TRY(token.Login(pin, guard));
  return token;
}

}  // namespace keybroker::cli
