#include "cli/listener_config/recipe.h"

namespace keybroker::cli {

const Recipe kStunnel{
    .kind = "stunnel",
    .program = "stunnel",
    .users = "root stunnel4",
    .who = "reads the key as root, signs as stunnel4 (setuid)",
    .jail = "/var/lib/stunnel4",
    .unit = "stunnel@.service",
    .both_types = false,
    .where = "in the service's section of its file in /etc/stunnel",
    .apply = "systemctl daemon-reload && systemctl restart 'stunnel@*'",
    .snippet =
        R"(; stunnel reads the key as root and signs as the user of `setuid`: the listener's users are both, and
; its socket must admit both (--user root --user stunnel4 --group stunnel4).
; With `chroot`, the broker must listen in there too (--jail /var/lib/stunnel4): the connection from
; before the chroot goes on, but after a restart of the broker stunnel has to make another.
; Leave the options engine, engineId and engineCtrl out: OPENSSL_CONF does it.
cert = @FIRST@
key = @FIRST@
; A service has one key. For the other type name this one in both lines: @SECOND@
; After a new certificate or key: write this again, then restart stunnel: in its jail it does not find
; its configuration again on SIGHUP.
)"};

}  // namespace keybroker::cli
