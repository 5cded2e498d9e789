# shellcheck shell=bash
# stunnel in Debian's jail: one process reads the key as root and signs as stunnel4. A service for
# each key.
kind=stunnel users=(root stunnel4) signer=stunnel4 jail=stunnel one_key=yes
targets=("stunnel-rsa:$base_port:https:rsa" "stunnel-ec:$((base_port + 1)):https:ec")
start() { start_stunnel "$1" "$2" "$3" "$3.ec"; }
