#include "cli/drill_token.h"

#include <openssl/rand.h>
#include <stdlib.h>

#include <filesystem>
#include <utility>

#include "cli/token_child.h"
#include "keybroker/base/file.h"
#include "keybroker/base/hex.h"
#include "keybroker/token/module.h"

namespace keybroker::cli {
namespace {

constexpr char kLabel[] = "keybroker-drill";

Result<std::filesystem::path> MakeFolder() {
  for (const char* parent : {"/dev/shm", "/tmp"}) {
    std::string name = std::string(parent) + "/keybroker-drill-XXXXXX";
    if (::mkdtemp(name.data()) != nullptr) return std::filesystem::path(name);
  }
  return Fail(SystemError("cannot make a folder for the drill's token", errno));
}

// Folder is removed with all that is in it when it goes.
struct Folder {
  std::filesystem::path path;
  explicit Folder(std::filesystem::path made) : path(std::move(made)) {}
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
};

Result<Secret> RandomPin() {
  uint8_t bytes[16];
  if (RAND_bytes(bytes, sizeof bytes) != 1) return Fail(Internal("no random bytes"));
  return Secret::CopyFrom(Hex(bytes));
}

Result<token::TokenConfig> Configure(const std::filesystem::path& folder,
                                     const std::string& module) {
  token::TokenConfig config;
  config.name = "drill";
  config.module = module;
  config.label = kLabel;
  config.environment["SOFTHSM2_CONF"] = folder / "softhsm2.conf";
  std::filesystem::create_directory(folder / "tokens");
  KB_TRY(WriteFileAtomically(folder / "softhsm2.conf",
                             "directories.tokendir = " + (folder / "tokens").string() +
                                 "\nobjectstore.backend = file\nlog.level = ERROR\n",
                             0600));
  return config;
}

Result<token::Token> MakeToken(const token::TokenConfig& config,
                               const std::filesystem::path& folder) {
  KB_ASSIGN(const Secret so_pin, RandomPin());
  KB_ASSIGN(const Secret pin, RandomPin());
  KB_ASSIGN(auto module, token::Module::Load(config));
  KB_ASSIGN(const auto tokens, token::ListTokens(*module));
  if (tokens.empty()) return Fail(Internal("SoftHSM shows no slot for the drill's token"));
  KB_TRY(token::InitToken(*module, tokens.front().slot, kLabel, so_pin, pin, false));
  KB_ASSIGN(auto token, token::Token::Find(std::move(module), config));
  KB_ASSIGN(auto guard, token::PinGuard::Open(folder / "guard", token.info().serial));
  KB_TRY(token.Login(pin, guard));
  return token;
}

Result<Json> InFolder(const std::filesystem::path& folder, const std::string& module,
                      std::span<const Secret> keks, const DrillWork& work) {
  KB_ASSIGN(const auto config, Configure(folder, module));
  KB_ASSIGN(const auto token, MakeToken(config, folder));
  KB_ASSIGN(const auto session, token.OpenSession(false));
  KB_ASSIGN(Json json, work(session, keks));
  json["token"] =
      "scratch token in memory: " + token.info().manufacturer + " " + token.info().model;
  return json;
}

}  // namespace

Result<Json> RunOnScratchToken(const config::Settings& settings, const std::string& module,
                               const std::vector<const Secret*>& keks, const DrillWork& work) {
  KB_ASSIGN(Json json, RunAsUser(settings.token_user, keks,
                                 [&](const std::vector<Secret>& received) -> Result<Json> {
                                   KB_ASSIGN(const auto path, MakeFolder());
                                   const Folder folder(path);
                                   KB_ASSIGN(Json done, InFolder(path, module, received, work));
                                   done["folder"] = path.string();
                                   return done;
                                 }));
  const std::string folder = GetText(json, "folder");
  std::error_code error;
  if (folder.empty() || std::filesystem::exists(folder, error) || error) {
    return Fail(Internal("the drill's token is still there: remove " + folder));
  }
  json.erase("folder");
  json["destroyed"] = true;
  return json;
}

}  // namespace keybroker::cli
