# shellcheck shell=bash
# Runs real TLS servers in the disposable root that scripts/listener-root makes. Source it, then:
#
#   LISTENER_ROOT=$(scripts/listener-root)  the root; it is never written to
#   LISTENER_MOUNTS=(DIR...)                folders of this machine that the servers see at the same
#                                           path: module, engine, sockets, references
#   start_SERVER DIR PORT SNIPPETS...       see scripts/lib/listeners/SERVER.sh
#   reload_SERVER DIR                       as Debian's unit reloads it, where it can
#   stop_listener DIR                       ends it; silent when it does not run
#
# DIR is the server's own folder, which its users must be able to enter: its configuration, what it
# wrote to stdout and stderr (DIR/output), its log (DIR/log), and once it answers the pid of its main
# process (DIR/pid). SNIPPETS is a folder that `keybroker listener config --write` filled: the server
# includes the file of its kind from it, and that alone makes it use the token's keys. start_* return
# when the port answers, or fail and print what the server said. Each server lives in mount and pid
# namespaces of its own, with a memory file system over the root: nothing of it is left when its main
# process has ended, and nothing else is touched.
#
#   prepare_jail SERVER DIR  makes DIR/jail, the folder that the server chroots to, before
#                            start_SERVER (which calls it when it was not): a broker that is to listen
#                            inside the jail (jails = ["DIR/jail"]) starts between the two
#   listener_main DIR      the pid of the main process
#   listener_pids DIR      the server's processes, one pid a line, to look at
#   listener_alive PID     whether a process is there and not a zombie
#   listener_uid NAME      the number of a user inside the root, for a listener's users
#   listener_gid NAME      that of its primary group, for the group of its socket

# Much of this is called again and again while something is awaited, and a process costs more than what it
# would look at: hence the shell's own words wherever they do.

listener_enter=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)/listener_enter.py
readonly listener_enter

# How long a server may take to answer or to end. It is a limit, not a wait.
LISTENER_DEADLINE_S=${LISTENER_DEADLINE_S:-180}

# listener_user NAME FIELD: a field of a user's line in the root's /etc/passwd; nothing when there is none.
listener_user() {
  local -a fields
  while IFS=: read -ra fields; do
    if [[ ${fields[0]-} == "$1" ]]; then printf '%s\n' "${fields[$2]}"; fi
  done <"$LISTENER_ROOT/etc/passwd"
}
listener_uid() { listener_user "$1" 2; }
listener_gid() { listener_user "$1" 3; }

# listener_jail SERVER: the path of the folder that Debian's server chroots to.
listener_jail() {
  case $1 in
    postfix) printf '/var/spool/postfix' ;;
    haproxy) printf '/var/lib/haproxy' ;;
    stunnel) printf '/var/lib/stunnel4' ;;
    *) return 1 ;;
  esac
}

prepare_jail() {
  local dir=$2 path
  path=$(listener_jail "$1")
  mkdir -p "$dir"
  if [[ ! -d $dir/jail ]]; then
    cp -a "$LISTENER_ROOT$path" "$dir/jail"
    # Debian gives stunnel's jail to stunnel4, who could then replace the broker's socket in it.
    chown root: "$dir/jail"
    printf '%s\n' "$path" >"$dir/jail.path"
  fi
}

# listener_enter DIR COMMAND...: becomes unshare(1) whose one child is COMMAND inside the root. DIR and
# LISTENER_MOUNTS appear in it; DIR/jail, when there is one, where Debian's server has its jail. Call
# it in a subshell.
listener_enter() {
  local dir=$1 jail=''
  shift
  if [[ -d $dir/jail ]]; then jail=$(<"$dir/jail.path"); fi
  # COMMAND is the first process of its pid namespace: whatever it started ends with it, by the
  # kernel, and nobody has to search for processes to end.
  # A session of its own: Apache signals its whole process group.
  exec setsid unshare --mount --propagation private --pid --fork --kill-child \
    /usr/bin/python3 -I -S "$listener_enter" "$LISTENER_ROOT" "$dir" "$jail" \
    "${#LISTENER_MOUNTS[@]}" "${LISTENER_MOUNTS[@]}" "$@"
}

# listener_alive PID: whether that process is there and not a zombie. Waits ask it often, so it makes no
# process of its own.
listener_alive() {
  local stat
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  [[ ${stat##*) } != Z* ]]
}

# listener_launch DIR COMMAND...: starts it in the background; DIR/supervisor is unshare's pid.
listener_launch() {
  local dir=$1 supervisor_pid main_pid
  if [[ -e $dir/pid ]]; then rm "$dir/pid"; fi
  (listener_enter "$@") >"$dir/output" 2>&1 </dev/null {listener_silence}>&- &
  printf '%s\n' "$!" >"$dir/supervisor"
  # Until the subshell has become unshare, stop_listener would not know it.
  while listener_runs "$dir"; do
    listener_find "$dir"
    if [[ -n $supervisor_pid ]]; then break; fi
    listener_pause
  done
}

# listener_find DIR: the pid in DIR/supervisor in $supervisor_pid, when that process is the unshare that was
# started for DIR: a number in a file may long be another process's. And in $main_pid that of its only
# child, the server's main process. Empty when there is none.
listener_find() {
  local pid='' word
  local -a words=()
  supervisor_pid='' main_pid=''
  { read -r pid <"$1/supervisor"; } 2>/dev/null || return 0
  if [[ ! $pid =~ ^[0-9]+$ ]]; then return 0; fi
  { mapfile -d '' -t words <"/proc/$pid/cmdline"; } 2>/dev/null || return 0
  if [[ ${words[0]-} != unshare ]]; then return 0; fi
  for word in "${words[@]}"; do
    if [[ $word == "$1" ]]; then supervisor_pid=$pid; fi
  done
  if [[ -n $supervisor_pid ]]; then
    { read -r main_pid <"/proc/$pid/task/$pid/children"; } 2>/dev/null || true
    main_pid=${main_pid%% *}
  fi
}

# listener_main DIR: the pid of the server's main process: the supervisor's only child.
listener_main() {
  local supervisor_pid main_pid
  listener_find "$1"
  if [[ -z $main_pid ]]; then return 1; fi
  printf '%s\n' "$main_pid"
}

# listener_runs DIR: whether it was started and has not ended.
listener_runs() {
  local pid
  { read -r pid <"$1/supervisor"; } 2>/dev/null && listener_alive "$pid"
}

# unit_environment SNIPPETS: the NAME=VALUE words that the systemd drop-in there sets, for this is how a
# unit would start the server; none when there is no drop-in.
unit_environment() {
  local line
  if [[ ! -f $1/systemd.conf ]]; then return; fi
  while IFS= read -r line; do
    if [[ $line == Environment=* ]]; then printf '%s\n' "${line#*=}"; fi
  done <"$1/systemd.conf"
}

# listener_pause [SECONDS]: a moment, without a process for it.
listener_pause() { read -rt "${1:-0.05}" -u "$listener_silence" || true; }
exec {listener_silence}<> <(:)

# listener_await DIR PORT: until the port answers, at most LISTENER_DEADLINE_S seconds.
listener_await() {
  local dir=$1 port=$2 end=$((SECONDS + LISTENER_DEADLINE_S))
  while listener_runs "$dir" && ((SECONDS < end)); do
    if { :; } 2>/dev/null 3<>"/dev/tcp/127.0.0.1/$port"; then
      listener_main "$dir" >"$dir/pid"
      return 0
    fi
    listener_pause
  done
  {
    printf 'the server in %s does not answer on port %s. It said:\n' "$dir" "$port"
    tail -n 30 "$dir/output" "$dir"/*log
  } >&2 2>/dev/null
  stop_listener "$dir"
  return 1
}

# Only to look at: no process is ever ended because it is in this list.
listener_pids() {
  local supervisor_pid main_pid each
  listener_find "$1"
  if [[ -z $main_pid || /proc/$main_pid/ns/pid -ef /proc/self/ns/pid ]]; then return 0; fi
  for each in /proc/[0-9]*; do
    if [[ $each/ns/pid -ef /proc/$main_pid/ns/pid ]]; then printf '%s\n' "${each#/proc/}"; fi
  done
}

# listener_catches_sigterm PID: the first process of a pid namespace ignores what it does not catch.
listener_catches_sigterm() {
  local label caught=0
  while read -r label caught; do
    if [[ $label == SigCgt: ]]; then break; fi
  done 2>/dev/null <"/proc/$1/status" || return 1
  (((16#${caught:-0} >> 14) & 1))
}

# SIGTERM to the main process, SIGKILL when it does not catch that or when it does not end: then the
# kernel ends its namespace. unshare's own --kill-child does not reach a process that changed its user.
stop_listener() {
  local dir=$1 supervisor_pid main_pid supervisor end=$((SECONDS + LISTENER_DEADLINE_S))
  listener_find "$dir"
  supervisor=$supervisor_pid
  if [[ -n $supervisor ]]; then
    if [[ -n $main_pid ]]; then
      if listener_catches_sigterm "$main_pid"; then kill "$main_pid" 2>/dev/null || true; else listener_kill "$dir"; fi
    fi
    while listener_runs "$dir" && ((SECONDS < end)); do listener_pause; done
    if listener_runs "$dir"; then
      listener_kill "$dir"
      printf 'the server in %s had to be killed\n' "$dir" >&2
    fi
    wait "$supervisor" 2>/dev/null || true
  fi
  if [[ -e $dir/supervisor ]]; then rm -f "$dir/supervisor" "$dir/pid"; fi
}

# listener_kill DIR: SIGKILL to the main process, or to the supervisor that has none yet.
listener_kill() {
  local supervisor_pid main_pid victim
  listener_find "$1"
  victim=${main_pid:-$supervisor_pid}
  if [[ -n $victim ]]; then kill -9 "$victim" 2>/dev/null || true; fi
}

for listener_file in "$(dirname -- "${BASH_SOURCE[0]}")"/listeners/*.sh; do
  # shellcheck source=/dev/null
  source "$listener_file"
done
unset listener_file
