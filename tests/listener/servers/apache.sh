# shellcheck shell=bash
# Apache httpd, event and prefork: the parent reads the key as root, its children sign as www-data.
kind=apache users=(root www-data) signer=www-data
targets=("apache-$variant:$base_port:https:rsa,ec")
start() { start_apache "$1" "$2" "$3" "$variant"; }
reload() { reload_apache "$1"; }
