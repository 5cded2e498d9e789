#include "cli/listener_config/recipe.h"

namespace keybroker::cli {

const Recipe kGenericOpenssl{
    .kind = "generic-openssl",
    .program = "any server with OpenSSL",
    .users = "",
    .who = "whoever loads the key, and whoever shakes hands",
    .unit = "NAME.service",
    .where = "for reading: what to set in the server's configuration",
    .apply = "",
    .snippet =
        R"(# Any server that reads its private key with OpenSSL from a PEM file. Name this file both where its
# configuration wants the key and where it wants the certificate chain:
#   @REFERENCE@
# and start it with OPENSSL_CONF=@DIR@/openssl.cnf
# - Users: whoever loads the key (often root) and whoever shakes hands afterwards must both be users
#   of the listener, and the socket must admit both.
# - A server that chroots needs the socket inside, at the same path: listener add --jail DIRECTORY.
# - A server that chroots before it starts OpenSSL finds neither configuration nor engine.
# - A server that clears its environment needs a setting of its own for the OpenSSL configuration.
# - "unsupported" in its log (unsupported key algorithm, DECODER routines::unsupported) means that it
#   read the reference without this OpenSSL configuration, or that it shows only the last of OpenSSL's
#   errors. As the server's user, with this OPENSSL_CONF, this shows the first:
#   openssl pkey -engine keybroker -inform engine -in FILE -noout
)"};

const Recipe kGenericGnutls{
    .kind = "generic-gnutls",
    .program = "any server with GnuTLS",
    .library = Library::kGnuTls,
    .users = "",
    .who = "whoever loads the key, and whoever shakes hands",
    .unit = "NAME.service",
    .where = "for reading: what to set in the server's configuration",
    .apply = "",
    .snippet =
        R"(# Any server that takes its private key as a PKCS#11 URI, by GnuTLS and p11-kit. The certificate chain:
#   @REFERENCE@
# The private key (quote it for a shell: it holds ; and %):
#   @URI@
# - keybroker.module tells p11-kit of keybroker, for every program that uses p11-kit on this host.
# - GnuTLS does not tell the module which socket that file names: the server needs
#   KEYBROKER_SOCKET=@SOCKET@ in its environment.
# - Whoever loads the key and whoever shakes hands must be users of the listener, and the socket must
#   admit both.
# - GnuTLS makes one signature of its own each time that it loads a key.
)"};

}  // namespace keybroker::cli
