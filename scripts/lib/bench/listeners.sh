# shellcheck shell=bash
# shellcheck disable=SC2154  # scripts/bench sets them
# The server's CPU time for a TLS handshake, for each way to its key. scripts/bench sources it, with its
# options in rounds, cpu and number.

readonly KEY=mail.example.test TOKEN=keybroker-demo
readonly BENCH=$KB_BUILD/bench-listeners
readonly LISTENER_PACKAGES=(nginx-light dovecot-imapd dovecot-pop3d softhsm2 p11-kit-modules)
# A hundred ports from here on.
readonly FIRST_PORT=${KB_LISTENER_PORT:-29100}

"$here/setup" --for bench
# shellcheck disable=SC2034  # lib/listeners.sh wants it
LISTENER_ROOT=$("$here/listener-root" "${LISTENER_PACKAGES[@]}")
build_release uri_key
# shellcheck source=scripts/lib/listeners.sh
source "$here/lib/listeners.sh"
# shellcheck source=scripts/lib/bench/listener_ways.sh
source "$here/lib/bench/listener_ways.sh"

p11_kit_pid='' measuring=''
started=()
clean_up() {
  local status=$? dir child
  trap - EXIT INT TERM
  for child in $measuring; do kill "$child" 2>/dev/null || true; done
  for dir in "${started[@]}"; do stop_listener "$dir"; done
  if [[ -n $p11_kit_pid ]]; then
    kill "$p11_kit_pid" 2>/dev/null || true
    wait "$p11_kit_pid" 2>/dev/null || true
  fi
  stack_stop || true
  stack_delete
  if ((status != 0)); then complain "stopped. Logs: $BENCH"; fi
  exit "$status"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

# Everything started from here on stays on that CPU, and before what else runs there: each switch to
# another program costs caches, and is counted as the server's time.
taskset --cpu-list --pid "$cpu" $$ >/dev/null
renice --priority -10 --pid $$ >/dev/null

# for_each_server COMMAND...: with WAY, SERVER and TYPE behind it.
for_each_server() {
  local way server type
  for type in "${TYPES[@]}"; do
    for server in "${servers[@]}"; do
      for way in "${WAYS[@]}"; do "$@" "$way" "$server" "$type"; done
    done
  done
}

declare -A port=()
start_server() {
  local way=$1 server=$2 type=$3 dir=$BENCH/servers/$1-$2-$3 snippets=$BENCH/snippets/$1-$2-$3
  port[$dir]=$((FIRST_PORT + ${#port[@]} * 5))
  write_way "$way" "$server" "$type" "$snippets"
  started+=("$dir")
  case $server in
    nginx)
      mkdir -p "$dir"
      # nginx empties its workers' environment, and SoftHSM and p11-kit read theirs again after a fork.
      printf 'env %s;\n' SOFTHSM2_CONF P11_KIT_SERVER_ADDRESS >"$dir/main.conf"
      start_nginx "$dir" "${port[$dir]}" "$snippets" 1
      ;;
    dovecot) start_dovecot "$dir" "${port[$dir]}" "$snippets" "$snippets" 1 ;;
  esac
  # Once, so that what is done only once is not measured.
  server_cpu --slices 1 "$(target "$way" "$server" "$type" 3)" >/dev/null
}

# target WAY SERVER TYPE [N]: of server_cpu.py, for N handshakes.
target() {
  local way=$1 server=$2 type=$3 n=${4:-} dir=$BENCH/servers/$1-$2-$3 pids
  local at=${port[$dir]}
  pids=$(listener_main "$dir")
  case $way in
    keybroker) pids+=,$STACK_RUN_PID ;;
    p11-kit) pids+=,$p11_kit_pid ;;
  esac
  case $server in
    nginx) printf '%s:%s:%d:%d:%s\n' "nginx-$type" "$way" "$at" "${n:-${number[handshakes]}}" "$pids" ;;
    dovecot)
      printf '%s:%s:%d:%d:%s:greeting\n' "dovecot-$type" "$way" "$((at + 1))" "${n:-${number[connections]}}" \
        "$pids"
      ;;
  esac
}

server_cpu() { "$here/lib/bench/server_cpu.py" --ca "$STACK_DIR/ca/root.pem" --name "$KEY" "$@"; }

figures=$BENCH/figures.txt

# Messages: what the broker receives at the listener's socket, connect and catalogue included.
readonly COUNTED=20
messages() {
  keybroker --json status | python3 -c 'import json, sys
print(next(l["messages"] for l in json.load(sys.stdin)["listeners"] if l["name"] == sys.argv[1]))' "$1"
}
count_messages() {
  local server=$1 type=$2 before
  before=$(messages "$server")
  server_cpu --slices 1 "$(target keybroker "$server" "$type" "$COUNTED")" >/dev/null
  printf 'messages %s-%s {"received": %d, "handshakes": %d}\n' "$server" "$type" \
    $(($(messages "$server") - before)) "$COUNTED" >>"$figures"
}

stack_prepare "$BENCH"
{
  stack_token
  stack_test_ca
  for type in "${TYPES[@]}"; do
    stack_key "$KEY" "$type"
    stack_certify "$KEY" "$type"
  done
  make_file_keys
  make_token_copies
  for server in "${servers[@]}"; do
    stack_listener "$server" --user "$(listener_uid "${server_user[$server]}")" \
      --group "$(listener_gid "${server_user[$server]}")"
    keybroker listener bind "$server" "$KEY"
  done
} >"$BENCH/setup.log" 2>&1 || { cat "$BENCH/setup.log" >&2 && die "no stack."; }
stack_start
start_p11_kit
# shellcheck disable=SC2034  # lib/listeners.sh wants it
LISTENER_MOUNTS=("$KB_BUILD/release/lib" "$STACK_SOCKETS" "$BENCH")
for_each_server start_server

mapfile -t targets < <(for_each_server target)
# In the background, for a shell that waits for a command in the foreground heeds no SIGTERM.
server_cpu --rounds "$rounds" "${targets[@]}" >"$figures" &
measuring=$!
wait "$measuring"
measuring=''
for server in "${servers[@]}"; do
  for type in "${TYPES[@]}"; do count_messages "$server" "$type"; done
done

"$here/lib/bench/listeners.py" "$figures" "$BENCH/result.json"
