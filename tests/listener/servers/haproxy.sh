# shellcheck shell=bash
# HAProxy in Debian's jail, -W (worker) and single: it reads the key as root and signs as haproxy.
kind=haproxy users=(root haproxy) signer=haproxy jail=haproxy
# Whatever is wrong; `keybroker listener check` knows more.
silent_says='No Private Key found in' away_says='No Private Key found in'
handshake_says=''
targets=("haproxy-$variant:$base_port:https:rsa,ec")
start() { start_haproxy "$1" "$2" "$3" "$variant"; }
if [[ $variant == worker ]]; then reload() { reload_haproxy "$1"; }; fi
