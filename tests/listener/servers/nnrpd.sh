# shellcheck shell=bash
# INN's nnrpd: a process for each connection loads its one key and signs as news.
kind=nnrpd users=(news) signer=news one_key=yes type=${type:-rsa}
targets=("nnrpd-$variant:$base_port:$([[ $variant == implicit ]] && echo nntps || echo nntp):$type")
start() { start_nnrpd "$1" "$2" "$3" "$variant"; }
