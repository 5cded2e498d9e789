#include "cli/listener_config/recipe.h"

namespace keybroker::cli {

const Recipe kNnrpd{
    .kind = "nnrpd",
    .program = "INN nnrpd",
    .users = "news",
    .who = "a process for each connection reads the key and signs as news",
    .reference_group = "news",
    .unit = "inn2.service",
    .both_types = false,
    .port = "563",
    .where = "add its lines to /etc/news/inn.conf",
    .apply = "systemctl daemon-reload && systemctl restart inn2, and each `nnrpd -D` of its own",
    .snippet =
        R"(# nnrpd reads the key and signs as news: it is the listener's user, and its socket must admit it
# (--user news --group news).
# It takes no key file that everybody may read: the reference is for the group news alone.
# An `nnrpd -D` (-S -p 563 for TLS from the first byte) that no unit starts needs OPENSSL_CONF in its
# environment too: OPENSSL_CONF=@DIR@/openssl.cnf
tlscertfile: @FIRST@
tlskeyfile: @FIRST@
# nnrpd has one key. For the other type name this one in both lines: @SECOND@
# After a new certificate or key: write this again. Each connection's process reads it anew.
)"};

}  // namespace keybroker::cli
