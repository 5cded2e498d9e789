#include "cli/listener_config/recipe.h"

namespace keybroker::cli {

const Recipe kNginx{
    .kind = "nginx",
    .program = "nginx",
    .users = "root www-data",
    .who = "the master reads the key as root, the workers sign as www-data",
    .unit = "nginx.service",
    .port = "443",
    .where = "in the server block: include @DIR@/nginx.conf;",
    .apply = "systemctl daemon-reload && systemctl restart nginx",
    .snippet =
        R"(# The master reads the key as root, and its workers, www-data, sign: the listener's users are both,
# and its socket must admit both (--user root --user www-data --group www-data).
# A pair of lines for each type of key. The reference carries the chain, so it is both files.
ssl_certificate @REFERENCE@;
ssl_certificate_key @REFERENCE@;
# After a new certificate or key: write this again, then `nginx -s reload`. Until then the workers go
# on with the older key. After a restart of broker or token: nothing.
# Workers run with an empty environment: nothing here may depend on it once the master has started.
)"};

}  // namespace keybroker::cli
