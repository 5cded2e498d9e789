#include "cli/listener_config/recipe.h"

namespace keybroker::cli {

const Recipe kHaproxy{
    .kind = "haproxy",
    .program = "HAProxy",
    .users = "root haproxy",
    .who = "the master reads the key as root, the worker signs as haproxy",
    .jail = "/var/lib/haproxy",
    .unit = "haproxy.service",
    .port = "443",
    .where = "append its last line to the bind line of the frontend: bind :443 ssl crt ...",
    .apply = "systemctl daemon-reload && systemctl restart haproxy",
    .snippet =
        R"(# HAProxy reads the key as root and signs as haproxy: the listener's users are both, and its socket
# must admit both (--user root --user haproxy --group haproxy).
# Debian's `chroot /var/lib/haproxy` hides the socket from the worker: the broker must listen in there
# too (--jail /var/lib/haproxy), else every handshake fails.
# Each file is a bundle of key and chain; HAProxy picks the one that fits the client.
# A client that sends no server name gets the first.
# After a new certificate or key: write this again, then `systemctl reload haproxy`.
ssl crt @REFERENCE: crt @
)"};

}  // namespace keybroker::cli
