# shellcheck shell=bash
# shellcheck disable=SC2154  # scripts/bench sets them
# What a drill of many backups costs, and on what. scripts/bench sources it, with its options in rounds,
# cpu and number.

readonly BENCH=$KB_BUILD/bench-backup
readonly keys=${number[keys]}
((keys > 0)) || usage_error "--keys is at least 1."

"$here/setup" --for bench
build_release

clean_up() {
  local status=$?
  trap - EXIT INT TERM
  stack_delete
  if ((status != 0)); then complain "stopped. Logs: $BENCH"; fi
  exit "$status"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

stack_prepare "$BENCH"
mkdir -m 0700 "$BENCH/safe"
password=$BENCH/password
(umask 077 && openssl rand -hex 16 >"$password")
{
  stack_token
  for ((key = 1; key <= keys; key++)); do
    printf '\rkey %d of %d' "$key" "$keys" >&2
    keybroker key generate "k$key.example.test" --type ec --exportable
  done
} >"$BENCH/setup.log" 2>"$BENCH/notes.log" || { cat "$BENCH/notes.log" >&2 && die "no keys."; }

# timed NAME COMMAND...: a line of figures with its seconds; what it prints goes to NAME.json.
figures=$BENCH/figures.txt
: >"$figures"
timed() {
  local name=$1 begun=$EPOCHREALTIME
  shift
  "$@" >"$BENCH/$name.json" 2>>"$BENCH/notes.log" || { tail -n 3 "$BENCH/notes.log" >&2 && return 1; }
  printf '%s %s %s\n' "$name" "$begun" "$EPOCHREALTIME" >>"$figures"
}

timed export keybroker --json backup export --all -o "$BENCH/safe" --password-file "$password"
drill=("$STACK_BIN/keybroker" --config "$STACK_CONFIG" --json drill "$BENCH/safe"
  --password-file "$password")
for ((round = 1; round <= rounds; round++)); do
  printf 'round %d of %d\n' "$round" "$rounds" >&2
  timed "all-cores-$round" "${drill[@]}"
  timed "one-core-$round" taskset --cpu-list "$cpu" "${drill[@]}"
done

python3 "$here/lib/bench/backup.py" "$BENCH" "$(nproc)"
