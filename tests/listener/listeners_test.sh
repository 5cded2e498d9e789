#!/bin/bash
# Real servers with keys on a token: nginx and Postfix from the disposable root, and openssl s_server
# of this machine, each reading a reference file by the engine, with `keybroker run` underneath.
#
# Usage: listeners_test.sh BUILD_FOLDER
# Exit status: 0 passed; 1 failed; 77 what could be run here passed, nginx and Postfix were left out.
set -euo pipefail

build=$(realpath -- "$1")
lib=$(realpath -- "$(dirname -- "$0")")/lib
for part in base stack handshakes snippets; do
  # shellcheck source=/dev/null
  source "$lib/$part.sh"
done
s_server_pid=''

stop_servers() {
  stop_listener "$work/nginx"
  stop_listener "$work/postfix"
  stop_listener "$work/spare"
  [[ -z $s_server_pid ]] || stop_child "$s_server_pid"
}
at_exit stop_servers

# --- openssl s_server ------------------------------------------------------------------------------
test_s_server() {
  local at=$work/plain-files/$name
  OPENSSL_CONF=$work/plain-files/openssl.cnf openssl s_server -accept 127.0.0.1:24401 -quiet \
    -cert "$work/ca/rsa.crt" -cert_chain "$work/ca/issuing.crt" -key "$at.rsa.pem" \
    -dcert "$work/ca/ec.crt" -dcert_chain "$work/ca/issuing.crt" -dkey "$at.ec.pem" >"$work/s_server.log" 2>&1 </dev/null &
  s_server_pid=$!
  eventually handshake 24401 ec -tls1_3 || fail "openssl s_server does not start"
  all_handshakes "openssl s_server" 24401 https rsa,ec
  stop_child "$s_server_pid"
  s_server_pid=''
}

# --- nginx and Postfix -----------------------------------------------------------------------------
add_root_listeners() {
  prepare_jail postfix "$work/postfix"
  add_listener https --user root --user "$(listener_uid www-data)" --mode 0666
  add_listener smtp --user root --user "$(listener_uid postfix)" --mode 0666 \
    --jail "$work/postfix/jail"
  write_snippets https nginx "$work/https-files"
  write_snippets smtp postfix "$work/smtp-files"
}

https() { all_handshakes "nginx" 24402 https rsa,ec; }
smtp() { all_handshakes "postfix smtpd" 24403 smtp rsa,ec; }

start_servers() {
  start_nginx "$work/nginx" 24402 "$work/https-files" || fail "nginx does not start"
  start_postfix "$work/postfix" 24403 "$work/smtp-files" || fail "Postfix does not start"
}

smtpd_pids() {
  listener_pids "$work/postfix" | while read -r pid; do
    if [[ $(cat "/proc/$pid/comm" 2>/dev/null) == smtpd ]]; then printf '%s\n' "$pid"; fi
  done | sort
}

# Workers that have dropped root, and an smtpd in its jail, connect anew; nobody restarts them.
test_restart_of_broker_and_tokenhost() {
  local nginx_before smtpd_before program
  nginx_before=$(listener_pids "$work/nginx" | sort)
  smtpd_before=$(smtpd_pids)
  [[ -n $smtpd_before ]] || fail "there is no smtpd to outlive the broker"
  for program in keybroker-tokenhost keybrokerd; do
    kill_and_await "$program"
    eventually handshake 24402 ec -tls1_3 || fail "nginx does not recover from a lost $program"
    eventually handshake 24403 ec -tls1_3 -starttls smtp ||
      fail "smtpd does not recover from a lost $program"
    https
    smtp
  done
  [[ $(listener_pids "$work/nginx" | sort) == "$nginx_before" ]] || fail "nginx was restarted"
  [[ -n $(comm -12 <(smtpd_pids) <(echo "$smtpd_before")) ]] || fail "no smtpd outlived the broker"
  say "ok: nginx and smtpd went on when tokenhost and broker had been killed and come back"
}

test_unbinding_refuses_the_next_handshake() {
  must keybroker listener unbind https "$name"
  must keybroker reload
  if handshake 24402 ec -tls1_3; then fail "nginx signs though its binding was removed"; fi
  grep -q 'keybroker engine::listener refused.*no binding lets the listener' "$work/nginx/log" ||
    fail "nginx's log does not say why there is no signature"
  handshake 24403 ec -tls1_3 -starttls smtp || fail "smtpd lost its key with nginx's"
  must keybroker listener bind https "$name"
  must keybroker reload
  eventually handshake 24402 ec -tls1_3 || fail "nginx does not sign though it is bound again"
  say "ok: a removed binding refuses the next handshake of that listener only, and nginx says why"
}

# read_as_https TYPE [MODE]: signs with the https listener's reference, as whoever took nginx over can.
read_as_https() {
  OPENSSL_CONF=$work/https-files/openssl.cnf "$build/bin/read_key" "$work/https-files/$name.$1.pem" "${@:2}" 2>&1
}

# audited TEXT: not by a pipe, since grep ends at its first match, and pipefail then reports the
# writer's SIGPIPE.
audited() {
  local said
  said=$(keybroker audit show) && grep -q "$1" <<<"$said"
}

# The engine hands the whole message over where no binding permits its digest, so that the broker can
# hold it to TLS's form.
test_a_binding_of_handshakes_permits_nothing_else() {
  local type said
  must keybroker listener unbind https "$name"
  must keybroker listener bind https "$name" --mechanism tls-handshake
  must keybroker reload
  eventually handshake 24402 ec -tls1_3 || fail "nginx does not sign under tls-handshake"
  https
  for type in "${types[@]}"; do
    said=$(read_as_https "$type" handshake) || fail "a handshake is refused to read_key: $said"
    if said=$(read_as_https "$type"); then fail "a text was signed under tls-handshake"; fi
  done
  must keybroker audit verify
  # What a listener was refused more than a few times in a second is written when the second is over.
  eventually audited not-tls-handshake || fail "the audit log has no such refusal"
  must keybroker listener unbind https "$name"
  must keybroker listener bind https "$name"
  must keybroker reload
  said=$(read_as_https ec) || fail "a text is refused under tls-server: $said"
  say "ok: under tls-handshake nginx serves RSA and P-256, and its key signs no other message"
}

# nginx holds a key by its reference; a newer generation becomes current; nginx forks new workers
# before anybody writes the new reference and reloads it.
test_workers_forked_after_a_new_generation() {
  local id workers
  must keybroker key generate "$name" --type ec --new-generation
  id=$(keybroker --json key show "$name" --type ec |
    "$python" -I -S -c 'import json, sys
print(next(k["id"] for k in json.load(sys.stdin)["keys"] if not k["current"]))')
  must keybroker key current "$name" --type ec --id "$id" --without-certificate
  must keybroker reload
  handshake 24402 ec -tls1_3 || fail "nginx's workers lost the older generation"
  workers=$(pgrep -P "$(cat "$work/nginx/pid")" | sort)
  # shellcheck disable=SC2086
  kill -9 $workers
  eventually handshake 24402 ec -tls1_3 || fail "new workers of nginx have no older generation"
  [[ -z $(comm -12 <(pgrep -P "$(cat "$work/nginx/pid")" | sort) <(echo "$workers")) ]] ||
    fail "nginx's workers were not replaced"
  https
  say "ok: workers that nginx forks after a new generation became current sign with the older"
}

# A process that none of the listener's users owns is told so, by the socket or by the broker.
test_a_foreign_process_is_refused_with_the_reason() {
  local said listener reason
  while read -r listener reason; do
    said=$(OPENSSL_CONF=$work/plain-files/openssl.cnf setpriv --reuid 65534 --regid 65534 --clear-groups \
      "$build/bin/read_key" "$work/$listener-files/$name.rsa.pem" 2>&1) && fail "a foreign process has a key"
    grep -q "^error listener refused: $reason" <<<"$said" || fail "a foreign process was told: $said"
  done <<<"plain this process (uid 65534) may not connect to $work/run/plain/socket
https the broker refuses this process as listener at $work/run/https/socket"
  say "ok: a process of another user is refused, by socket or broker, and told which"
}

# stop_listener ends what start_* started: never a process that a stale file happens to number.
test_stopping_a_listener_touches_nothing_else() {
  local bystander
  mkdir -p "$work/stale"
  sleep 600 &
  bystander=$!
  printf '%s\n' "$bystander" | tee "$work/stale/supervisor" >"$work/stale/pid"
  [[ -z $(listener_pids "$work/stale") ]] || fail "a bystander is taken for a listener"
  stop_listener "$work/stale"
  kill -0 "$bystander" || fail "stop_listener ended a bystander"
  stop_child "$bystander"
  say "ok: stopping a listener touches no other process"
}

# Nothing but the reference stands between the server and a missing broker: it says which is gone.
test_a_server_started_without_broker_says_so() {
  local spare=$work/spare
  stop_keybroker
  if start_nginx "$spare" 24404 "$work/https-files" 2>/dev/null; then
    fail "nginx starts without a broker"
  fi
  grep -q 'keybroker engine::broker away:.*/https/socket' "$spare/log" ||
    fail "nginx's log does not name the broker's absence"
  say "ok: nginx started without a broker names the socket that nobody listens at"
}

main() {
  local status=0
  make_token
  make_ca
  make_keys
  mkdir "$work/spare"
  add_listener plain --user "$(id -un)"
  write_snippets plain generic-openssl "$work/plain-files"
  LISTENER_ROOT=$("$source_dir/scripts/listener-root" --all) || status=$?
  case $status in
    0) add_root_listeners ;;
    3) ;;
    *) fail "scripts/listener-root ended with status $status" ;;
  esac
  LISTENER_MOUNTS=("$build/lib" "$work")
  start_keybroker
  test_s_server
  if ((status == 3)); then
    say "LEFT OUT: nginx and Postfix. No root can be made here; the reasons are above."
    exit 77
  fi
  test_stopping_a_listener_touches_nothing_else
  test_a_foreign_process_is_refused_with_the_reason
  start_servers
  https
  smtp
  test_unbinding_refuses_the_next_handshake
  test_a_binding_of_handshakes_permits_nothing_else
  test_restart_of_broker_and_tokenhost
  test_workers_forked_after_a_new_generation
  test_a_server_started_without_broker_says_so
}

main
