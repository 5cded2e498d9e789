#include "cli/listener_config/recipe.h"

namespace keybroker::cli {

const Recipe kExim{
    .kind = "exim",
    .program = "Exim (GnuTLS)",
    .library = Library::kGnuTls,
    .users = "Debian-exim",
    .who = "a process for each connection loads the key and signs as Debian-exim",
    .port = "25",
    .starttls = "smtp",
    .where =
        "in the main section of the configuration (Debian: /etc/exim4/conf.d/main/ or "
        "/etc/exim4/exim4.conf.template)",
    .apply = "update-exim4.conf && systemctl restart exim4",
    .snippet =
        R"(# Debian's Exim is built with GnuTLS: it takes the key by its PKCS#11 URI, through p11-kit and
# keybroker.module. Neither OPENSSL_CONF nor engine comes into it.
# It loads the key and signs as Debian-exim: that is the listener's user, and its socket must admit it
# (--user Debian-exim --group Debian-exim).
# `<|` makes | the separator of these lists; without it every : of a URI would be one.
tls_certificate = <| @REFERENCE: | @
tls_privatekey = <| @URI: | @
# The first file serves as certificate and chain only: Exim skips the reference in it.
# GnuTLS makes one signature of its own each time that it loads a key.
# Exim empties its environment, and GnuTLS does not tell the module what keybroker.module says of the
# socket: these two lines do. Where there is a keep_environment already, leave the first out.
keep_environment =
add_environment = KEYBROKER_SOCKET=@SOCKET@
# A new key has another URI: write this again, copy it, and restart Exim. Do not reload it: on SIGHUP
# it executes its set-user-ID program anew, which may not choose the socket by its environment.
)"};

}  // namespace keybroker::cli
