# shellcheck shell=bash
# start_nginx DIR PORT SNIPPETS [WORKERS]: HTTPS on 127.0.0.1:PORT. DIR/more.conf, when there is one, is
# included beside that server: further virtual hosts. DIR/main.conf, likewise, stands outside `http`.

start_nginx() {
  local dir=$1 port=$2 snippets=$3 workers=${4:-2}
  local -a environment
  mkdir -p "$dir"
  mapfile -t environment < <(unit_environment "$snippets")
  : >>"$dir/main.conf"
  : >>"$dir/more.conf"
  cat >"$dir/nginx.conf" <<CONF
user www-data;
worker_processes $workers;
daemon off;
pid $dir/nginx.pid;
error_log $dir/log notice;
include $dir/main.conf;
events { worker_connections 256; }
http {
  access_log off;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_cache off;
  ssl_session_tickets off;
  server {
    listen 127.0.0.1:$port ssl;
    server_name mail.example.test;
    include $snippets/nginx.conf;
    location / { return 200 "hello from nginx\n"; }
  }
  include $dir/more.conf;
}
CONF
  listener_launch "$dir" "${environment[@]}" nginx -e "$dir/log" -c "$dir/nginx.conf"
  listener_await "$dir" "$port"
}

reload_nginx() { kill -HUP "$(cat "$1/pid")"; }
