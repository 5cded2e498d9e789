# shellcheck shell=bash
# gnutls-serv: one process, as nobody.
kind=generic-gnutls users=(nobody) signer=nobody library=gnutls
away_says='The requested PKCS #11 object is not available'
targets=("gnutls-serv:$base_port:https:rsa,ec")
start() { start_gnutls_serv "$1" "$2" "$3"; }
