# shellcheck shell=bash
# Exim with GnuTLS: a process for each connection loads the key and signs as Debian-exim.
kind=exim users=(Debian-exim) signer=Debian-exim library=gnutls without_broker=recovers
# Three, and one for each key: GnuTLS signs with each that it loads, to see that it fits its certificate.
each_costs=5
away_says='The requested PKCS #11 object is not available'
targets=("exim:$base_port:smtp:rsa,ec" "exim-implicit:$((base_port + 1)):smtps:rsa,ec")
start() { start_exim "$1" "$2" "$3" "$(($2 + 1))"; }
# No reload: on SIGHUP it executes its set-user-ID binary anew, as Debian-exim. Such a process must not
# believe its environment, so the module takes no socket from there.
