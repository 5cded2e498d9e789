# shellcheck shell=bash
# start_haproxy DIR PORT SNIPPETS [MODE]: HTTPS on 127.0.0.1:PORT in Debian's jail and as its user;
# MODE is worker (-W, as Debian's unit runs it, the default) or single.

start_haproxy() {
  local dir=$1 port=$2 snippets=$3 mode=${4:-worker}
  local -a environment
  local -a how=(-db)
  if [[ $mode == worker ]]; then how=(-W); fi
  prepare_jail haproxy "$dir"
  mapfile -t environment < <(unit_environment "$snippets")
  {
    cat <<CONF
global
  log stderr format raw local0
  chroot /var/lib/haproxy
  user haproxy
  group haproxy
  ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
  tune.ssl.cachesize 0
  hard-stop-after 20s
defaults
  mode http
  log global
  timeout client 20s
  timeout server 20s
  timeout connect 20s
frontend https
CONF
    # The snippet is what follows the address on the bind line.
    printf '  bind 127.0.0.1:%s %s\n' "$port" "$(grep -v '^#' "$snippets/haproxy.conf")"
    printf '  http-request return status 200 content-type text/plain string hello\n'
  } >"$dir/haproxy.cfg"
  # DIR/log is what it says on stderr: in a jail there is no syslog.
  : >"$dir/log"
  # shellcheck disable=SC2016  # expands inside the root
  listener_launch "$dir" "${environment[@]}" sh -c 'log=$1; shift; exec "$@" 2>>"$log"' \
    sh "$dir/log" haproxy "${how[@]}" -f "$dir/haproxy.cfg"
  listener_await "$dir" "$port"
}

# Debian's unit sends the master SIGUSR2. The single process has no reload.
reload_haproxy() { kill -USR2 "$(cat "$1/pid")"; }
