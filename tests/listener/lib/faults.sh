# shellcheck shell=bash
# What a server's clients notice of reloads, restarts and lost bindings.

witness_pid=''
stop_witness() { [[ -z $witness_pid ]] || stop_child "$witness_pid"; }
at_exit stop_witness

# Another listener of the same broker, which must never notice what is done to the first one's binding.
readonly witness_port=$((base_port + 90))
readonly witness_target=witness:$witness_port:https:rsa,ec
start_witness() {
  local at=$work/witness/$name
  OPENSSL_CONF=$work/witness/openssl.cnf openssl s_server -accept "127.0.0.1:$witness_port" -quiet \
    -cert "$at.rsa.pem" -cert_chain "$work/ca/issuing.crt" -key "$at.rsa.pem" \
    -dcert "$at.ec.pem" -dcert_chain "$work/ca/issuing.crt" -dkey "$at.ec.pem" \
    >"$work/witness.log" 2>&1 </dev/null &
  witness_pid=$!
  eventually handshake "$witness_port" ec -tls1_3 || fail "openssl s_server does not start"
}

# A connection that is open while the server is reloaded. What became of it is recorded.
held_pid='' held_in='' held_out=''
hold_connection() {
  rm -f "$work/held.in"
  mkfifo "$work/held.in"
  "$python" -I "$source_dir/tests/listener/tls_client.py" hold --ca "$work/ca/ca.crt" --name "$name" \
    "${targets[-1]}" <"$work/held.in" >"$work/held.out" 2>"$work/held.log" &
  held_pid=$!
  exec 8>"$work/held.in"
  eventually grep -q ready "$work/held.out" || fail "no connection to hold"
}
held_answer() {
  echo >&8
  exec 8>&-
  wait "$held_pid" || true
  sed -n 2p "$work/held.out"
}

# reloaded PIDS: the server has a process that is none of those.
reloaded() { [[ -n $(comm -13 <(printf '%s\n' "$1") <(listener_pids "$dir" | sort)) ]]; }

check_reload() {
  declare -F reload >/dev/null || return 0
  local answer before
  before=$(listener_pids "$dir" | sort)
  hold_connection
  loop_event "reload"
  reload "$dir"
  loop_back
  loop_await 9 "${all_labels[@]}" witness
  loop_report "${all_labels[@]}" witness
  eventually reloaded "$before" || fail "$server: no process is new after the reload"
  answer=$(held_answer)
  if [[ $server == nginx || $server == apache ]] && [[ $answer != HTTP/* ]]; then
    fail "$server: a connection from before the reload does not go on: $answer"
  fi
  say "  a connection from before the reload got: ${answer:-closed}"
}

check_broker_killed() {
  loop_event "broker killed"
  kill_and_await keybrokerd
  await_serving
  loop_back
  loop_await 9 "${all_labels[@]}" witness
  loop_report "${all_labels[@]}" witness
}

check_broker_away() {
  loop_event "broker kept away"
  keep_broker_away
  loop_await_failure "${all_labels[@]}" witness
  loop_mending
  let_broker_back
  after_outage
  loop_back
  loop_await 9 "${all_labels[@]}" witness
  loop_report "${all_labels[@]}" witness
}

check_tokenhost_killed() {
  loop_event "tokenhost killed"
  kill_and_await keybroker-tokenhost
  await_serving
  loop_back
  loop_await 9 "${all_labels[@]}" witness
  loop_report "${all_labels[@]}" witness
}

check_unbound() {
  loop_event "binding removed"
  must keybroker listener unbind server "$name"
  must keybroker reload
  loop_await_failure "${labels[@]}"
  loop_await 6 "${all_labels[@]}" witness
  local other
  for other in witness ${second:+"${second_targets[@]%%:*}"}; do
    if loop_failed "$other"; then fail "$other noticed that another listener lost its binding"; fi
  done
  loop_mending
  must keybroker listener bind server "$name"
  must keybroker reload
  after_outage
  loop_back
  loop_await 9 "${all_labels[@]}" witness
  loop_report "${all_labels[@]}" witness
}

# in_turn TARGET...: as one word for loop_start.
in_turn() {
  local IFS=+
  printf '%s\n' "$*"
}

check_faults() {
  local -a loops=("${targets[@]}" "${second_targets[@]}")
  if [[ $ports_take_turns == yes ]]; then
    loops=("$(in_turn "${targets[@]}")" "$(in_turn "${second_targets[@]}")")
  fi
  start_witness
  loop_start "${loops[@]}" "$witness_target"
  loop_await 3 "${all_labels[@]}" witness
  loop_header
  check_reload
  check_broker_killed
  check_tokenhost_killed
  check_broker_away
  check_unbound
  loop_stop
  say "ok: $server: after reload, restarts and a lost binding were over, no handshake failed"
}

