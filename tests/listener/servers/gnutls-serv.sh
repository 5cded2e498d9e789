# shellcheck shell=bash
# gnutls-serv: one process, as nobody.
kind=generic-gnutls users=(nobody) signer=nobody library=gnutls
targets=("gnutls-serv:$base_port:https:rsa,ec")
start() { start_gnutls_serv "$1" "$2" "$3"; }
