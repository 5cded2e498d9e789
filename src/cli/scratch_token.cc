#include "cli/scratch_token.h"

#include <grp.h>
#include <openssl/rand.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
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

// HoldSignals: what ends a process waits until the folder is gone, and the process ends anyway.
void HoldSignals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals, signal);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
}

Result<std::filesystem::path> MakeScratchFolder(ScratchPlace place) {
  int failed = 0;
  for (const char* parent : {"/dev/shm", "/tmp"}) {
    if (place == ScratchPlace::kOnlyMemory && !IsInMemory(parent)) continue;
    std::string name = std::string(parent) + "/keybroker-drill-XXXXXX";
    if (::mkdtemp(name.data()) != nullptr) return std::filesystem::path(name);
    failed = errno;
  }
  if (failed != 0) return Fail(SystemError("cannot make a folder for the drill's token", failed));
  return Fail(
      Unavailable("this drill puts the key on a token of its own, which must be in memory, and "
                  "neither /dev/shm nor /tmp is a tmpfs: mount one, or drill at level 2"));
}

// ScratchFolder is removed when it goes; the parent sees whether it is.
struct ScratchFolder {
  std::filesystem::path path;
  explicit ScratchFolder(std::filesystem::path made) : path(std::move(made)) {}
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
};

Status SeenToBeGone(const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::exists(folder, error) && !error) return {};
  return Fail(Internal("the drill's token is still there: remove " + folder.string()));
}

Result<Json> WorkInScratchFolder(ScratchPlace place, const std::vector<Secret>& secrets,
                                 const ScratchWork& work) {
  HoldSignals();
  KB_ASSIGN(const auto path, MakeScratchFolder(place));
  Result<Json> done = [&] {
    const ScratchFolder folder(path);
    return work(path, secrets);
  }();
  KB_TRY(SeenToBeGone(path));
  if (done) (*done)["folder"] = path.string();
  return done;
}

Result<unsigned> RandomNumber() {
  uint16_t random = 0;
  if (RAND_bytes(reinterpret_cast<uint8_t*>(&random), sizeof random) == 1) return random;
  return Fail(Internal("no random bytes"));
}

// ScratchUser is the number of a user that there is not, of those that systemd gives to services
// for as long as they run (DynamicUser=, systemd.exec(5)). The next call gives another one.
Result<std::string> ScratchUser() {
  constexpr unsigned kFirst = 61184;
  constexpr unsigned kCount = 65519 - kFirst + 1;
  static unsigned next = 0;
  if (next == 0) {
    KB_ASSIGN(next, RandomNumber());
  }
  for (int tries = 0; tries < 100; ++tries) {
    const uid_t uid = kFirst + next++ % kCount;
    std::string name = std::to_string(uid);
    // systemd's own record of which it has given away; who asks for names may not be told of it.
    std::error_code error;
    if (std::filesystem::exists("/run/systemd/dynamic-uid/" + name, error)) continue;
    if (::getpwuid(uid) == nullptr && ::getgrgid(uid) == nullptr) return name;
  }
  return Fail(Unavailable("there is no user to spare for a drill's scratch token, of the numbers " +
                          std::to_string(kFirst) + " to " + std::to_string(kFirst + kCount - 1)));
}

}  // namespace

Result<UserChild> StartInScratchFolder(ScratchPlace place,
                                       const std::vector<const Secret*>& secrets,
                                       const ScratchWork& work) {
  KB_ASSIGN(const std::string user, ScratchUser());
  return StartAsUser(user, secrets, [&](const std::vector<Secret>& received, const Ask&) {
    return WorkInScratchFolder(place, received, work);
  });
}

Result<Json> AwaitScratch(UserChild child) {
  KB_ASSIGN(Json json, std::move(child).Await(NoQuestions));
  KB_TRY(SeenToBeGone(GetText(json, "folder")));
  json.erase("folder");
  return json;
}

Result<Json> RunInScratchFolder(ScratchPlace place, const std::vector<const Secret*>& secrets,
                                const ScratchWork& work) {
  KB_ASSIGN(UserChild child, StartInScratchFolder(place, secrets, work));
  return AwaitScratch(std::move(child));
}

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
