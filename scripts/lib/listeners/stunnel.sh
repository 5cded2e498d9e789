# shellcheck shell=bash
# start_stunnel DIR PORT SNIPPETS EC_SNIPPETS BACKEND_PORT: TLS on 127.0.0.1:PORT, and on PORT + 1 with
# the second folder's key (a service of stunnel's has one), before whatever listens on BACKEND_PORT; in
# Debian's jail and as its user.

start_stunnel() {
  local dir=$1 port=$2 snippets=$3 ec_snippets=$4 backend_port=$5
  local -a environment
  prepare_jail stunnel "$dir"
  mapfile -t environment < <(unit_environment "$snippets")
  {
    cat <<CONF
foreground = yes
pid =
chroot = /var/lib/stunnel4
setuid = stunnel4
setgid = stunnel4
debug = info
sessionCacheSize = 1
[rsa]
accept = 127.0.0.1:$port
connect = 127.0.0.1:$backend_port
CONF
    cat "$snippets/stunnel.conf"
    printf '[ec]\naccept = 127.0.0.1:%s\nconnect = 127.0.0.1:%s\n' "$((port + 1))" \
      "$backend_port"
    cat "$ec_snippets/stunnel.conf"
  } >"$dir/stunnel.conf"
  listener_launch "$dir" "${environment[@]}" stunnel4 "$dir/stunnel.conf"
  listener_await "$dir" "$port"
}
