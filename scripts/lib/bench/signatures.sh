# shellcheck shell=bash
# shellcheck disable=SC2154  # scripts/bench sets them
# Signatures a second through keybroker, next to the token itself and to p11-kit's server. scripts/bench
# sources it, with its options in rounds, cpu and number.

readonly KEY=mail.example.test
readonly BENCH=$KB_BUILD/bench
readonly WAYS=(direct two-hops keybroker p11-kit)
# Ways whose start is something an operator would see.
readonly START_WAYS=(direct keybroker p11-kit)

readonly milliseconds=${number[milliseconds]} other_keys=${number[other-keys]}

"$here/setup" --for bench
build_release sign_bench
readonly CLIENT=$STACK_BIN/sign_bench

server_pid=
clean_up() {
  local status=$?
  trap - EXIT INT TERM
  if [[ -n $server_pid ]]; then kill "$server_pid" 2>/dev/null || true; fi
  stack_stop || true
  stack_delete
  if ((status != 0)); then complain "stopped. Logs: $BENCH"; fi
  exit "$status"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

# Everything started from here on stays on that CPU.
taskset --cpu-list --pid "$cpu" $$ >/dev/null

stack_prepare "$BENCH"
{
  stack_token
  stack_key "$KEY" rsa
  stack_key "$KEY" ec
  stack_listener https
  keybroker listener bind https "$KEY"
} >"$BENCH/setup.log" 2>&1 || { cat "$BENCH/setup.log" >&2 && die "no stack."; }
stack_start

# p11-kit's server on the same token; it says on stdout where it is.
export SOFTHSM2_CONF=$BENCH/token/softhsm2.conf
export XDG_RUNTIME_DIR=$STACK_SOCKETS/p11-kit
mkdir -m 0700 "$XDG_RUNTIME_DIR"
eval "$(p11-kit server --provider "$STACK_SOFTHSM" 'pkcs11:token=keybroker-demo')" >/dev/null
server_pid=$P11_KIT_SERVER_PID
p11_kit_client=$(dpkg -L p11-kit-modules p11-kit | grep '/p11-kit-client\.so$' | head -n 1)

# measure WAY ARGUMENT...: one run of the client.
measure() {
  local way=$1
  shift
  case $way in
    direct)
      "$CLIENT" --module "$STACK_SOFTHSM" --token keybroker-demo --pin-file "$STACK_PIN_FILE" \
        --label "$KEY" "$@"
      ;;
    two-hops)
      measure direct --two-hops "$@"
      ;;
    keybroker)
      "$CLIENT" --module "$STACK_MODULE" --token keybroker --label "$KEY" \
        --reserved "socket=$STACK_SOCKETS/https/socket" "$@"
      ;;
    p11-kit)
      "$CLIENT" --module "$p11_kit_client" --token keybroker-demo --pin-file "$STACK_PIN_FILE" \
        --label "$KEY" "$@"
      ;;
  esac
}

figures=$BENCH/figures.txt
: >"$figures"
# record CASE WAY ARGUMENT...
record() {
  local case=$1 way=$2
  shift 2
  printf '%s %s %s\n' "$case" "$way" "$(measure "$way" "$@")" >>"$figures"
}

# record_starts KEYS WAY: a start takes milliseconds, so a few for each round.
record_starts() {
  local _
  for _ in 1 2 3 4 5; do record "start-$1-keys" "$2" --start; done
}

for ((round = 1; round <= rounds; round++)); do
  printf '\rround %d of %d' "$round" "$rounds" >&2
  for way in "${WAYS[@]}"; do
    record p256-1 "$way" --milliseconds "$milliseconds"
    record p256-8 "$way" --milliseconds "$milliseconds" --clients 8
    record rsa-1 "$way" --milliseconds "$milliseconds" --rsa
  done
  for way in "${START_WAYS[@]}"; do record_starts 2 "$way"; done
done
printf '\n' >&2

# Messages: what each process sends while one client makes so many signatures.
readonly SIGNATURES=200
count_messages() {
  local tracers=() pid name trace=$BENCH/trace
  for name in keybrokerd keybroker-tokenhost; do
    pid=$(stack_child "$name")
    strace -f -qq -e trace=sendmsg,sendto,sendmmsg -o "$trace.$name" -p "$pid" 2>"$trace.$name.log" &
    tracers+=($!)
    # strace has attached when the kernel says who traces.
    until grep -q "^TracerPid:.[1-9]" "/proc/$pid/status"; do
      kill -0 "${tracers[-1]}" 2>/dev/null || return 0
      brief_pause
    done
  done
  strace -f -qq -e trace=sendmsg,sendto,sendmmsg -o "$trace.client" "$CLIENT" \
    --module "$STACK_MODULE" --token keybroker --label "$KEY" \
    --reserved "socket=$STACK_SOCKETS/https/socket" --signatures "$SIGNATURES" >/dev/null
  kill "${tracers[@]}"
  wait "${tracers[@]}" 2>/dev/null || true
  for name in client keybrokerd keybroker-tokenhost; do
    printf 'messages %s {"sent": %d}\n' "$name" "$(grep -c '= [1-9]' "$trace.$name")" >>"$figures"
  done
}
count_messages

if ((other_keys > 0)); then
  "$CLIENT" --module "$STACK_SOFTHSM" --token keybroker-demo --pin-file "$STACK_PIN_FILE" \
    --generate "$other_keys"
  for_token "$BENCH/token/tokens"
  keybroker reload >>"$BENCH/setup.log" 2>&1
  for ((round = 1; round <= rounds; round++)); do
    for way in "${START_WAYS[@]}"; do record_starts $((other_keys + 2)) "$way"; done
  done
fi

python3 "$here/lib/bench/signatures.py" "$figures" "$BENCH/result.json" "$SIGNATURES"
