# shellcheck shell=bash
# What the tests of real servers share: how they speak and wait, and what they leave behind: nothing.
# Source it with `build` set to the build folder.
#
#   say, fail, must, eventually, stop_child     below
#   python       Debian's; the first in PATH may be a wrapper that takes longer to start than a server
#   work         a folder of the test's own; at_exit FUNCTION runs before it is removed

source_dir=$(realpath -- "$(dirname -- "${BASH_SOURCE[0]}")/../../..")
# shellcheck source=scripts/lib/listeners.sh
source "$source_dir/scripts/lib/listeners.sh"

readonly python=/usr/bin/python3
# A limit for what must come by itself, not a wait.
readonly deadline_s=60
# A short path: socket names are limited to 107 bytes.
work=$(mktemp -d /tmp/kbl.XXXXXX)
chmod 755 "$work"
exit_functions=()

say() { printf '%s\n' "$*"; }
fail() {
  printf 'FAILED: %s\n' "$*" >&2
  tail -n 12 "$work"/{run,held,loop,search,handshake}.log "$work"/*/*log "$work"/*/output >&2 2>/dev/null || true
  exit 1
}
# must COMMAND...: quiet when it succeeds.
must() { "$@" >"$work/must.log" 2>&1 </dev/null || fail "$* said: $(<"$work/must.log")"; }
# eventually COMMAND...: until it succeeds, within deadline_s.
eventually() {
  local end=$((SECONDS + deadline_s))
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < end)) || return 1
    listener_pause
  done
}
# stop_child PID: ends a process that this shell started.
stop_child() {
  kill "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}
at_exit() { exit_functions+=("$1"); }
cleanup() {
  local function
  for function in "${exit_functions[@]}"; do "$function"; done
  [[ $work == /tmp/kbl.?* ]] && rm -rf --one-file-system -- "$work"
}
trap cleanup EXIT
