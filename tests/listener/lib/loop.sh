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
#   loop_failed LABEL               how many failed since loop_event

loop_pid='' loop_what='' loop_down=0 loop_mend=0 loop_up=0

now_ns() { date +%s%N; }

loop_start() {
  : >"$work/loop.txt"
  python3 "$source_dir/tests/listener/tls_client.py" loop --ca "$work/ca/ca.crt" --name "$name" \
    --out "$work/loop.txt" "$@" 2>"$work/loop.log" &
  loop_pid=$!
}
loop_stop() {
  [[ -n $loop_pid ]] || return 0
  stop_child "$loop_pid"
  loop_pid=''
}
at_exit loop_stop

loop_lines() { grep -c "^$1 " "$work/loop.txt" || true; }

loop_await() {
  local count=$1 label end=$((SECONDS + deadline_s))
  shift
  local -A wanted=()
  for label in "$@"; do wanted[$label]=$(($(loop_lines "$label") + count)); done
  for label in "$@"; do
    until (($(loop_lines "$label") >= wanted[$label])); do
      ((SECONDS < end)) || fail "the handshake loop of $label stands still"
      listener_pause
    done
  done
}

loop_event() {
  loop_what=$1
  loop_down=$(now_ns)
  loop_mend=$loop_down
  loop_up=$loop_down
}
loop_mending() { loop_mend=$(now_ns); }
loop_back() { loop_up=$(now_ns); }

loop_failed() {
  awk -v label="$1" -v down="$loop_down" \
    '$1 == label && $3 >= down && $4 == "failed" {n++} END {print n + 0}' "$work/loop.txt"
}

loop_await_failure() {
  local label end=$((SECONDS + deadline_s))
  for label in "$@"; do
    until (($(loop_failed "$label") > 0)); do
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
  local label row
  for label in "$@"; do
    row=$(awk -v label="$label" -v down="$loop_down" -v mend="$loop_mend" -v up="$loop_up" '
      $1 != label || $3 < down { next }
      {
        tried++
        longest = $3 - $2 > longest ? $3 - $2 : longest
        if ($4 == "ok") { if (!healed || healed < mend) healed = $3; next }
        healed = 0
        if ($2 >= up) after++; else before++
      }
      END { printf "%d %d %d %d %d", tried, before, after, longest / 1e6, (healed > mend ? (healed - mend) / 1e6 : 0) }
    ' "$work/loop.txt")
    # shellcheck disable=SC2086
    printf '%-18s %-22s %6s %11s %12s %10s %8s\n' "$label" "$loop_what" $row | tee -a "$table"
    if (($(cut -d ' ' -f 3 <<<"$row") > 0)); then
      awk -v label="$label" -v up="$loop_up" '$1 == label && $2 >= up && $4 == "failed"' \
        "$work/loop.txt" | head -n 3 >&2
      fail "$label: handshakes failed after \"$loop_what\" was over"
    fi
  done
}
