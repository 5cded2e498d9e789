# shellcheck shell=bash
# nginx: the master reads the key as root, its workers sign as www-data.
kind=nginx users=(root www-data) signer=www-data
targets=("nginx:$base_port:https:rsa,ec")
start() { start_nginx "$1" "$2" "$3" "${workers-2}"; }
reload() { reload_nginx "$1"; }

# A second virtual host with a key in a file: how long its clients wait while the first one's broker is
# away, and while it hangs.
prepare_more() {
  mkdir -p "$dir"
  must openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=file" \
    -addext "subjectAltName=DNS:$name" -keyout "$work/file.key" -out "$work/file.crt"
  cat "$work/file.crt" >>"$work/ca/ca.crt"
  cat >"$dir/more.conf" <<CONF
server {
  listen 127.0.0.1:$((base_port + 10)) ssl;
  ssl_certificate $work/file.crt;
  ssl_certificate_key $work/file.key;
  location / { return 200 "file\n"; }
}
CONF
}
readonly file_target=file-key-host:$((base_port + 10)):https:ec

# longest LABEL: the milliseconds of its longest handshake since loop_event.
longest() {
  awk -v label="$1" -v down="$loop_down" '$1 == label && $3 >= down && $3 - $2 > most { most = $3 - $2 }
    END { print int(most / 1e6) }' "$work/loop.txt"
}

# stall WHAT LIMIT_MS: the file key's host goes on. The limit is for one event loop that waits.
stall() {
  local most
  loop_await_failure "${labels[@]}"
  loop_await 30 file-key-host
  if loop_failed file-key-host; then fail "the host with a file key failed while $loop_what"; fi
  most=$(longest file-key-host)
  say "  $loop_what: longest handshake of the host with a file key: $most ms"
  ((most < $2)) || fail "the host with a file key stood still for $most ms while $loop_what"
}

check_other_host() {
  local child workers=1
  # One worker, so that every client sees whatever it waits for.
  stop_server
  start_server
  loop_start "${targets[@]}" "$file_target"
  loop_await 3 "${labels[@]}" file-key-host
  loop_event "broker gone"
  keep_broker_away
  stall gone 3000
  let_broker_back
  loop_await 3 "${labels[@]}"
  loop_event "broker hung"
  find_child keybrokerd || fail "the broker does not run"
  kill -STOP "$child"
  stall hung "$hung_limit_ms"
  kill -CONT "$child"
  await_serving
  loop_back
  loop_await 6 "${labels[@]}" file-key-host
  loop_report "${labels[@]}" file-key-host
  loop_stop
  stop_server
  workers=2
  start_server
  say "ok: nginx: its host with a key in a file goes on while the broker is gone or hangs"
}
# A client that has nothing but static RSA wants the key to decrypt. It is refused, and nobody else.
check_static_rsa() {
  if handshake "$base_port" rsa -tls1_2 -cipher AES256-GCM-SHA384:AES128-GCM-SHA256; then
    fail "the key decrypts: a static RSA key exchange succeeded"
  fi
  all_handshakes nginx "$base_port" https rsa,ec
  say "ok: nginx: a static RSA key exchange is refused, and the next client is served"
}
extra_checks() {
  check_static_rsa
  check_other_host
}
hung_limit_ms=13000
