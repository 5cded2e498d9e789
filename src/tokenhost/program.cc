#include "tokenhost/program.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "keybroker/base/log.h"
#include "keybroker/base/process.h"
#include "keybroker/ipc/directory.h"
#include "keybroker/ipc/notify.h"
#include "keybroker/token/pin_guard.h"
#include "keybroker/token/pin_source.h"
#include "tokenhost/listening_socket.h"
#include "tokenhost/server.h"

namespace keybroker::tokenhost {
namespace {

// The directory is setgid: a socket made in it gets the broker's group without a chown.
constexpr mode_t kSocketDirMode = 02750;

Status PrepareDirectories(const Setup& setup) {
  const Users& users = setup.users;
  KB_TRY(ipc::EnsureDirectory(setup.settings.TokenSocketDir(),
                              {users.token_uid, users.broker_gid, kSocketDirMode}));
  return ipc::EnsureDirectory(setup.settings.TokenStateDir(),
                              {users.token_uid, users.token_gid, 0700});
}

Status BecomeTokenUser(const Setup& setup) {
  if (!setup.users.become) return {};
  return BecomeUser({setup.settings.token_user, setup.users.token_uid, setup.users.token_gid});
}

Result<ListeningSocket> OpenSocket(const Setup& setup) {
  KB_ASSIGN(auto inherited, ListeningSocket::Inherited());
  if (inherited) return std::move(*inherited);
  return ListeningSocket::Bind(setup.settings.TokenSocket(setup.token.name));
}

// BlockSignals turns the signals we act on into a descriptor; threads inherit the mask.
Result<UniqueFd> BlockSignals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals, signal);
  if (::sigprocmask(SIG_BLOCK, &signals, nullptr) != 0) {
    return Fail(SystemError("sigprocmask", errno));
  }
  ::signal(SIGPIPE, SIG_IGN);
  UniqueFd fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return Fail(SystemError("signalfd", errno));
  return fd;
}

// SetEnvironment does what Module::Load will do, while there is but one thread.
void SetEnvironment(const token::TokenConfig& token) {
  for (const auto& [name, value] : token.environment) ::setenv(name.c_str(), value.c_str(), 1);
}

// ServeUntilStopped runs the accept loop; SIGHUP has the keys read again.
void ServeUntilStopped(Server& server, int signals, TokenKeeper& keeper) {
  for (;;) {
    if (!server.WaitFor(signals)) continue;
    signalfd_siginfo info{};
    if (::read(signals, &info, sizeof info) != sizeof info) continue;
    if (info.ssi_signo != SIGHUP) return;
    keeper.RefreshSoon();
  }
}

Status Serve(const Setup& setup, const ListeningSocket& socket, int signals) {
  const std::string& name = setup.token.name;
  SetEnvironment(setup.token);
  Watchdog watchdog(name, setup.profile.hang_limit);
  SessionPool pool(setup.token.sessions, watchdog);
  StandingBoard board(name);
  TokenKeeper keeper(setup.token, setup.settings.TokenStateDir() / "pin-guard", watchdog, pool,
                     board);
  Signer signer(keeper, board, pool, watchdog);
  LineBudget lines;
  const Services services{name, setup.users.Rights(), keeper, board, signer, lines};
  KB_ASSIGN(auto server, Server::Make(services, socket.fd()));
  // Ready means that the first attempt is over: a locked or absent token is served as such.
  keeper.Start([] { ipc::Notify("READY=1"); });
  ServeUntilStopped(*server, signals, keeper);
  ipc::Notify("STOPPING=1");
  board.Abandon();
  server->Stop();
  return {};
}

}  // namespace

Result<Setup> LoadSetup(const Options& options) {
  Setup setup;
  KB_ASSIGN(setup.settings, config::LoadSettings(options.config));
  KB_ASSIGN(setup.token, token::LoadTokenConfig(setup.settings, options.token));
  KB_ASSIGN(setup.profile, token::LoadProfile(setup.settings.profiles_dir, setup.token.profile));
  KB_ASSIGN(setup.users, ResolveUsers(setup.settings));
  return setup;
}

Status CheckSetup(const Setup& setup) {
  KB_TRY(BecomeTokenUser(setup));
  const std::string& module = setup.token.module.string();
  if (::access(module.c_str(), R_OK) != 0) {
    return Fail(NotFound("the vendor module " + module + " cannot be read by " +
                         setup.settings.token_user + ": install it or correct `module`"));
  }
  const auto pin = token::ReadPin(setup.token);
  if (!pin) return Fail(pin.error());
  return {};
}

int RunProgram(const Setup& setup) {
  auto signals = BlockSignals();
  if (!signals) {
    LogError("cannot start", signals.error());
    return kExitSystem;
  }
  auto prepared = PrepareDirectories(setup);
  if (prepared) prepared = BecomeTokenUser(setup);
  if (!prepared) {
    LogError("cannot start", prepared.error());
    return prepared.error().code == ErrorCode::kDenied ? kExitConfig : kExitSystem;
  }
  auto socket = OpenSocket(setup);
  if (!socket) {
    LogError("cannot start", socket.error());
    const bool wrong = socket.error().code == ErrorCode::kMalformed;
    return wrong ? kExitConfig : kExitTryAgain;
  }
  if (auto status = Serve(setup, *socket, signals->get()); !status) {
    LogError("cannot serve", status.error());
    return kExitSystem;
  }
  return 0;
}

}  // namespace keybroker::tokenhost
