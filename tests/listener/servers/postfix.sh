# shellcheck shell=bash
# Postfix: each smtpd reads the key as root, enters Debian's jail, and signs as postfix.
kind=postfix users=(root postfix) signer=postfix jail=postfix without_broker=recovers
# An smtpd that could not read the key offers no TLS as long as it lives, up to 100 connections.
after_outage() { reload "$dir"; }
targets=("postfix:$base_port:smtp:rsa,ec" "postfix-implicit:$((base_port + 1)):smtps:rsa,ec")
start() { start_postfix "$1" "$2" "$3" "$(($2 + 1))"; }
reload() { reload_postfix "$1"; }
