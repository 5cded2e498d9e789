#include "cli/listener_config/recipe.h"

namespace keybroker::cli {

const Recipe kApache{
    .kind = "apache",
    .program = "Apache httpd",
    .users = "root www-data",
    .who = "the parent reads the key as root, its children sign as www-data",
    .unit = "apache2.service",
    .port = "443",
    .where = "in the VirtualHost: Include @DIR@/apache.conf",
    .apply = "systemctl daemon-reload && systemctl restart apache2",
    .snippet =
        R"(# The parent reads the key as root, and its children, www-data, sign: the listener's users are both,
# and its socket must admit both (--user root --user www-data --group www-data).
# A pair of lines for each type of key. The reference carries the chain, so it is both files;
# SSLCertificateChainFile is not needed.
SSLCertificateFile @REFERENCE@
SSLCertificateKeyFile @REFERENCE@
# After a new certificate or key: write this again, then `apachectl graceful`.
# Leave SSLCryptoDevice alone, and name no pkcs11: URI: mod_ssl would load another engine for it.
)"};

}  // namespace keybroker::cli
