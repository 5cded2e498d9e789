# shellcheck shell=bash
# What a handshake costs: the messages that the broker gets at the listener's socket. Source it after
# server.sh.
#
#   messages LISTENER       how many there were
#   check_message_cost      one for each handshake of a warm server, or $each_costs for each connection

messages() {
  keybroker --json status | "$python" -I -S -c 'import json, sys
print(next(l["messages"] for l in json.load(sys.stdin)["listeners"] if l["name"] == sys.argv[1]))' "$1"
}

# cost_of_ten: the messages of ten handshakes, one after the other.
cost_of_ten() {
  local protocol port before
  local -a words fields
  IFS=: read -ra fields <<<"${targets[0]}"
  port=${fields[1]} protocol=${fields[2]}
  s_client_words "$protocol"
  before=$(messages server)
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    handshake "$port" "${fields[3]%%,*}" -tls1_3 "${words[@]}" || fail "no handshake with $server"
  done
  echo $(($(messages server) - before))
}

# A process that signs for the first time says Hello, so a server is warm when ten handshakes met none.
check_message_cost() {
  local cost end=$((SECONDS + 60))
  cost=$(cost_of_ten)
  if [[ -n $each_costs ]]; then
    ((cost <= 10 * each_costs)) || fail "ten connections cost $cost messages"
    say "ok: ten connections, each with a process of its own, cost $cost messages"
    return
  fi
  until ((cost == 10)); do
    ((cost > 10)) || fail "ten handshakes cost $cost messages: they were not full ones"
    ((SECONDS < end)) || fail "ten handshakes of a warm server cost $cost messages"
    cost=$(cost_of_ten)
  done
  say "ok: ten handshakes of a warm server cost ten messages"
}
