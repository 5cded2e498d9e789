#include "cli/listener_config/recipe.h"

namespace keybroker::cli {

const Recipe kDovecot{
    .kind = "dovecot",
    .program = "Dovecot (imap-login, pop3-login)",
    .users = "dovenull",
    .who =
        "the configuration process reads the file as root; imap-login and pop3-login load the key "
        "and sign as dovenull",
    .port = "143",
    .starttls = "imap",
    .where = "in /etc/dovecot/local.conf: !include @DIR@/dovecot.conf",
    .apply = "systemctl restart dovecot",
    .snippet =
        R"(# The login processes load the key and sign as dovenull: it is the listener's user, and its socket must
# admit it (--user dovenull --group dovenull).
# Dovecot passes on only what stands here. The names before OPENSSL_CONF are Dovecot 2.3's own list; a
# list inside a service { } is a configuration error.
import_environment = TZ CORE_OUTOFMEM CORE_ERROR LISTEN_PID LISTEN_FDS NOTIFY_SOCKET OPENSSL_CONF=@DIR@/openssl.cnf
# The files hold key and chain. To tell IMAP from POP3, make a listener for each, and put each one's
# four lines into protocol imap { } and protocol pop3 { }: they share a user, not a socket.
ssl_cert = <@FIRST@
ssl_key = <@FIRST@
ssl_alt_cert = <@SECOND@
ssl_alt_key = <@SECOND@
# OpenSSL starts only after Debian's `chroot = login`, and finds neither configuration nor engine in
# there ("DECODER routines::unsupported").
service imap-login {
  chroot =
}
service pop3-login {
  chroot =
}
# service_count = 1 (the default) makes a process for each connection, which loads the key anew.
# After a new certificate or key: write this again, then `doveadm reload`.
)"};

}  // namespace keybroker::cli
