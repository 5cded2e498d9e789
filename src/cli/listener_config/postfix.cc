#include "cli/listener_config/recipe.h"

namespace keybroker::cli {

const Recipe kPostfix{
    .kind = "postfix",
    .program = "Postfix smtpd",
    .users = "root postfix",
    .who = "each smtpd reads the key as root before its chroot, and signs as postfix",
    .jail = "/var/spool/postfix",
    .port = "25",
    .starttls = "smtp",
    .where = "add its lines to /etc/postfix/main.cf",
    .apply = "postfix reload",
    .snippet =
        R"(# Each smtpd reads the key as root and signs as postfix: the listener's users are both, and its socket
# must admit both (--user root --user postfix --group postfix).
# Debian runs smtpd with chroot = y: the broker must listen in there too (--jail /var/spool/postfix),
# so that an smtpd can connect anew after a restart of the broker.
# master removes OPENSSL_CONF from the environment. tls_config_file is there since Postfix 3.5.20,
# 3.6.10, 3.7.6 and 3.8.1.
tls_config_file = @DIR@/openssl.cnf
# These files hold key and chain. smtpd_tls_cert_file, smtpd_tls_key_file and their kin for other key
# types are ignored beside them.
smtpd_tls_chain_files =
    @REFERENCE@
# Where it is not set already, in main.cf: smtpd_tls_security_level = may
# master.cf needs nothing new. For TLS from the first byte (port 465) its smtps or submissions service
# has -o smtpd_tls_wrappermode=yes. tlsmgr and proxymap must be there, as they are in Debian's.
# After a new certificate or key: write this again. Each new smtpd reads it; `postfix reload` makes
# all of them new.
)",
    .provider_snippet =
        R"(# Each smtpd reads the key as root and signs as postfix: the listener's users are both, and its socket
# must admit both (--user root --user postfix --group postfix).
# Debian runs smtpd with chroot = y: the broker must listen in there too (--jail /var/spool/postfix),
# so that an smtpd can connect anew after a restart of the broker.
# master removes OPENSSL_CONF from the environment. tls_config_file is there since Postfix 3.5.20,
# 3.6.10, 3.7.6 and 3.8.1.
tls_config_file = @DIR@/openssl.cnf
# Postfix takes no key file of pkcs11-provider in smtpd_tls_chain_files; beside that one these would be
# ignored. The /. is on purpose: a file that is named alike for key and certificate is read by Postfix
# itself, by another name by OpenSSL, which asks the provider.
smtpd_tls_chain_files =
smtpd_tls_cert_file = @FIRST@
smtpd_tls_key_file = /.@FIRST@
smtpd_tls_eccert_file = @SECOND@
smtpd_tls_eckey_file = /.@SECOND@
# Where it is not set already, in main.cf: smtpd_tls_security_level = may
# After a new certificate or key: write this again. Each new smtpd reads it; `postfix reload` makes
# all of them new.
)"};

}  // namespace keybroker::cli
