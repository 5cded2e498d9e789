#include "cli/drill_listener/listener.h"

#include <openssl/conf.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "cli/openssl_says.h"
#include "cli/tls_client.h"
#include "keybroker/base/log.h"
#include "keybroker/base/process.h"

namespace keybroker::cli {
namespace {

constexpr char kKeyLoaded = 'k';

// BoundTheWait: no read or write on fd blocks for longer.
Status BoundTheWait(int fd) {
  const timeval limit{kDrillPatience.count(), 0};
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
      ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0) {
    return Fail(SystemError("setsockopt", errno));
  }
  return {};
}

Error OpenSslFailed(const std::string& what) { return TokenFailed(what + ": " + OpenSslSays()); }

// LoadServer does what a server does at its start.
Result<TlsContext> LoadServer(const DrillFiles& files) {
  if (CONF_modules_load_file(files.openssl_cnf.c_str(), nullptr, 0) != 1) {
    return Fail(OpenSslFailed("it cannot load " + files.openssl_cnf.string()));
  }
  TlsContext context(SSL_CTX_new(TLS_server_method()));
  if (!context) return Fail(OpenSslFailed("it has no TLS"));
  if (SSL_CTX_use_certificate_chain_file(context.get(), files.reference.c_str()) != 1) {
    return Fail(OpenSslFailed("it cannot load the certificate"));
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), files.reference.c_str(), SSL_FILETYPE_PEM) != 1) {
    return Fail(OpenSslFailed("it cannot load the key by the engine"));
  }
  if (SSL_CTX_check_private_key(context.get()) != 1) {
    return Fail(OpenSslFailed("key and certificate do not fit"));
  }
  return context;
}

Status ServeOne(SSL_CTX* context, int fd) {
  const TlsConnection ssl(SSL_new(context));
  if (!ssl || SSL_set_fd(ssl.get(), fd) != 1) return Fail(OpenSslFailed("it has no connection"));
  if (SSL_accept(ssl.get()) != 1) return Fail(OpenSslFailed("the handshake failed"));
  std::array<char, kDrillChallenge> challenge{};
  size_t got = 0;
  size_t sent = 0;
  if (SSL_read_ex(ssl.get(), challenge.data(), challenge.size(), &got) != 1 ||
      SSL_write_ex(ssl.get(), challenge.data(), got, &sent) != 1) {
    return Fail(OpenSslFailed("the connection broke"));
  }
  SSL_shutdown(ssl.get());
  return {};
}

Status BeListener(const DrillFiles& files, int fd, pid_t parent) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent) {
    return Fail(Internal("the drill ended"));
  }
  KB_TRY(LeaveSession(fd));
  KB_TRY(BoundTheWait(fd));
  KB_ASSIGN(const TlsContext context, LoadServer(files));
  if (::send(fd, &kKeyLoaded, 1, MSG_NOSIGNAL) != 1) return Fail(SystemError("send", errno));
  return ServeOne(context.get(), fd);
}

// Child never returns: nothing of its parent's may be destroyed twice.
[[noreturn]] void ListenerChild(const DrillFiles& files, int fd, pid_t parent) {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  SetLogName("listener");
  const Status served = BeListener(files, fd, parent);
  if (!served) LogError("failed", served.error());
  ::_exit(served ? 0 : 1);
}

}  // namespace

Result<DrillListener> StartListener(const DrillFiles& files) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    return Fail(SystemError("socketpair", errno));
  }
  UniqueFd ours(pair[0]);
  UniqueFd theirs(pair[1]);
  KB_TRY(BoundTheWait(ours.get()));
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return Fail(SystemError("fork", errno));
  if (pid == 0) ListenerChild(files, theirs.get(), parent);
  DrillListener listener{DrillChild(pid), std::move(ours)};
  theirs.Reset();
  char said = 0;
  if (::recv(listener.connection.get(), &said, 1, 0) == 1 && said == kKeyLoaded) return listener;
  listener.connection.Reset();
  KB_TRY(listener.process.Await());
  return Fail(Unavailable("it ended before it had the key"));
}

}  // namespace keybroker::cli
