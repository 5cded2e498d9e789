# shellcheck shell=bash
# What the project's own scripts share: where things are, how they speak, how a step that may take
# long is run quietly. Source it; it changes nothing but the variables below.

# The checkout, whatever the caller's directory and however the script was reached.
KB_SOURCE=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
readonly KB_SOURCE

# All build output lives in one folder, which .gitignore names.
readonly KB_BUILD=${KB_BUILD:-$KB_SOURCE/build}
readonly KB_LOGS=$KB_BUILD/log

kb_name=$(basename -- "$0")
readonly kb_name

# say TEXT...: one line to the reader. complain: the same to stderr. die: and end with status 1.
say() { printf '%s\n' "$*"; }
complain() { printf '%s: %s\n' "$kb_name" "$*" >&2; }
die() {
  complain "$*"
  exit 1
}

is_root() { [[ $(id -u) -eq 0 ]]; }

# usage_error TEXT: status 2, with the way to more.
usage_error() {
  complain "$*"
  complain "try: scripts/$kb_name --help"
  exit 2
}

# jobs: how many compilers at once. Our translation units want up to 1 GB each.
jobs() {
  local cpus memory_gb
  cpus=$(nproc)
  memory_gb=$(awk '/^MemAvailable/ {print int($2 / 1048576)}' /proc/meminfo)
  ((memory_gb < 1)) && memory_gb=1
  echo $((cpus < memory_gb ? cpus : memory_gb))
}

# quietly LOGNAME COMMAND...: runs it with its output in KB_LOGS/LOGNAME.log, and shows the end of
# that file only when it fails.
quietly() {
  local log=$KB_LOGS/$1.log status=0
  shift
  mkdir -p "$KB_LOGS"
  "$@" >"$log" 2>&1 </dev/null || status=$?
  if ((status != 0)); then
    complain "failed with status $status: $*"
    complain "the end of $log:"
    tail -n 40 -- "$log" >&2
  fi
  return "$status"
}

# build_release TARGET...: the release build of programs, module and engine in KB_BUILD/release, and
# of the further targets; the other tests are left out.
build_release() {
  quietly configure-release cmake -S "$KB_SOURCE" -B "$KB_BUILD/release" -G Ninja \
    -DCMAKE_BUILD_TYPE=Release || return
  quietly build-release cmake --build "$KB_BUILD/release" --parallel "$(jobs)" \
    --target keybroker keybrokerd keybroker-tokenhost kb_module kb_engine "$@"
}
