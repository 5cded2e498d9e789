# shellcheck shell=bash
# Handshakes without end beside whatever is done to server and broker, and what came of them. Source it
# after stack.sh.
#
#   loop_start TARGET...            see tls_client.py
#   loop_stop
#   loop_await COUNT LABEL...       until each has COUNT further handshakes
#   loop_await_failure LABEL...     until each has failed since the last loop_event
#   loop_event WHAT                 something is done now
#   loop_mending                    now begins what ends it; it heals from here, or from the event
#   loop_back                       what was done is over: from now on nothing may fail
#   loop_report LABEL...            prints a row for each, fails when a handshake failed after loop_back
#   loop_failed LABEL               whether one has failed since loop_event

loop_pid='' loop_what='' loop_down=0 loop_mend=0 loop_up=0
# Lines that were read, and of each label: handshakes in them, and those that failed since loop_event.
loop_read=0
declare -A loop_tried=() loop_failures=()

# now_ns VARIABLE: the time since 1970, rounded down to microseconds.
now_ns() { printf -v "$1" '%s000' "${EPOCHREALTIME/[.,]/}"; }

loop_start() {
  : >"$work/loop.txt"
  loop_read=0 loop_tried=() loop_failures=()
  "$python" "$source_dir/tests/listener/tls_client.py" loop --ca "$work/ca/ca.crt" --name "$name" \
    --out "$work/loop.txt" "$@" 2>"$work/loop.log" &
  loop_pid=$!
}
loop_stop() {
  [[ -n $loop_pid ]] || return 0
  stop_child "$loop_pid"
  loop_pid=''
}
at_exit loop_stop

# loop_take: reads what the loop wrote since the last time.
loop_take() {
  local line
  local -a lines
  mapfile -s "$loop_read" lines <"$work/loop.txt"
  for line in "${lines[@]}"; do
    # The last may be half written.
    if [[ ! $line =~ ^([^ ]+)\ [0-9]+\ ([0-9]+)\ (ok|failed)\ .*$'\n' ]]; then break; fi
    loop_read=$((loop_read + 1))
    loop_tried[${BASH_REMATCH[1]}]=$((${loop_tried[${BASH_REMATCH[1]}]-0} + 1))
    if [[ ${BASH_REMATCH[3]} == failed ]] && ((BASH_REMATCH[2] >= loop_down)); then
      loop_failures[${BASH_REMATCH[1]}]=yes
    fi
  done
}

loop_await() {
  local count=$1 label end=$((SECONDS + deadline_s))
  shift
  local -A wanted=()
  loop_take
  for label in "$@"; do wanted[$label]=$((${loop_tried[$label]-0} + count)); done
  for label in "$@"; do
    until ((${loop_tried[$label]-0} >= wanted[$label])); do
      ((SECONDS < end)) || fail "the handshake loop of $label stands still"
      listener_pause
      loop_take
    done
  done
}

loop_event() {
  loop_what=$1
  now_ns loop_down
  loop_mend=$loop_down
  loop_up=$loop_down
  loop_failures=()
}
loop_mending() { now_ns loop_mend; }
loop_back() { now_ns loop_up; }

loop_failed() {
  loop_take
  [[ -n ${loop_failures[$1]-} ]]
}

loop_await_failure() {
  local label end=$((SECONDS + deadline_s))
  for label in "$@"; do
    until loop_failed "$label"; do
      ((SECONDS < end)) || fail "$label: no handshake fails though $loop_what"
      listener_pause
    done
  done
}

# The columns: server, what was done, handshakes tried since, failed before it was over and after,
# milliseconds of the longest, and from loop_mending until the first success after which none failed.
loop_header() {
  printf '%-18s %-22s %6s %11s %12s %10s %8s\n' server event tried "failed down" "failed after" \
    "longest ms" "heal ms"
}

loop_report() {
  awk -v labels="$*" -v what="$loop_what" -v down="$loop_down" -v mend="$loop_mend" -v up="$loop_up" '
    $3 < down { next }
    {
      tried[$1]++
      if ($3 - $2 > longest[$1]) longest[$1] = $3 - $2
      if ($4 == "ok") { if (healed[$1] < mend) healed[$1] = $3; next }
      healed[$1] = 0
      if ($2 < up) before[$1]++; else if (++after[$1] <= 3) line[$1] = line[$1] $0 "\n"
    }
    END {
      count = split(labels, label, " ")
      for (i = 1; i <= count; i++) {
        l = label[i]
        printf "%-18s %-22s %6d %11d %12d %10d %8d\n", l, what, tried[l], before[l], after[l], longest[l] / 1e6,
          (healed[l] > mend ? (healed[l] - mend) / 1e6 : 0)
        if (after[l]) { printf "%s", line[l] > "/dev/stderr"; bad = 1 }
      }
      exit bad
    }
  ' "$work/loop.txt" || fail "handshakes failed after \"$loop_what\" was over"
}
