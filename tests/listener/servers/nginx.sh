# shellcheck shell=bash
# nginx: the master reads the key as root, its workers sign as www-data.
kind=nginx users=(root www-data) signer=www-data
targets=("nginx:$base_port:https:rsa,ec")
start() { start_nginx "$1" "$2" "$3"; }
reload() { reload_nginx "$1"; }
