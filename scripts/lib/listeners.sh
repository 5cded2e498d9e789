# shellcheck shell=bash
# Runs real TLS servers in the disposable root that scripts/listener-root makes. Source it, then:
#
#   LISTENER_ROOT=$(scripts/listener-root)  the root; it is never written to
#   LISTENER_MOUNTS=(DIR...)                folders of this machine that the servers see at the same
#                                           path: module, engine, sockets, references
#   start_nginx   DIR PORT OPENSSL_CNF REFERENCE...   HTTPS on 127.0.0.1:PORT
#   start_postfix DIR PORT OPENSSL_CNF REFERENCE...   SMTP with STARTTLS on 127.0.0.1:PORT
#   stop_listener DIR                                 ends it; silent when it does not run
#
# DIR is the server's own folder, which its users must be able to enter: its configuration, what it
# wrote to stdout and stderr (DIR/output), its log (DIR/log), and once it answers the pid of its main
# process (DIR/pid). A REFERENCE file holds the key's reference and then the certificate chain; give
# one RSA and one EC to serve both. start_* return when the port answers, or fail and print what the
# server said. Each server lives in mount and pid namespaces of its own, with a memory file system
# over the root: nothing of it is left when its main process has ended, and nothing else is touched.
#
#   prepare_postfix DIR    makes DIR/spool, Postfix's queue folder and jail, before start_postfix
#                          (which calls it when it was not): a broker that is to listen inside the
#                          jail (jails = ["DIR/spool"]) starts between the two
#   listener_pids DIR      the server's processes, one pid a line, to look at
#   listener_alive PID     whether a process is there and not a zombie
#   listener_uid NAME      the number of a user inside the root, for a listener's users

# How long a server may take to answer or to end. It is a limit, not a wait.
LISTENER_DEADLINE_S=${LISTENER_DEADLINE_S:-180}

listener_uid() { awk -F: -v name="$1" '$1 == name { print $3 }' "$LISTENER_ROOT/etc/passwd"; }

# listener_enter DIR COMMAND...: becomes unshare(1) whose one child is COMMAND inside the root. DIR and
# LISTENER_MOUNTS appear in it; DIR/spool, when there is one, as Postfix's queue folder. Call it in a
# subshell.
listener_enter() {
  local dir=$1
  shift
  # COMMAND is the first process of its pid namespace: whatever it started ends with it, by the
  # kernel, and nobody has to search for processes to end.
  # shellcheck disable=SC2016  # the script expands in the namespace
  exec unshare --mount --propagation private --pid --fork --kill-child bash -euc '
    root=$1 dir=$2 count=$3
    shift 3
    mkdir -p "$dir/top"
    mount -t tmpfs -o mode=755 listener "$dir/top"
    mkdir "$dir/top/upper" "$dir/top/work" "$dir/top/root"
    mount -t overlay -o "lowerdir=$root,upperdir=$dir/top/upper,workdir=$dir/top/work" \
      listener "$dir/top/root" 2>/dev/null || cp -a "$root/." "$dir/top/root/"
    root=$dir/top/root
    for mounted in /dev "$dir" "${@:1:count}"; do
      mkdir -p "$root$mounted"
      mount --rbind "$mounted" "$root$mounted"
    done
    mount -t proc proc "$root/proc"
    if [[ -d $dir/spool ]]; then mount --bind "$dir/spool" "$root/var/spool/postfix"; fi
    shift "$count"
    exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
  ' listener "$LISTENER_ROOT" "$dir" "${#LISTENER_MOUNTS[@]}" "${LISTENER_MOUNTS[@]}" "$@"
}

# listener_alive PID: whether that process is there and not a zombie.
listener_alive() { [[ $(ps -o stat= -p "$1" 2>/dev/null) == [!Z]* ]]; }

# listener_launch DIR COMMAND...: starts it in the background; DIR/supervisor is unshare's pid.
listener_launch() {
  local dir=$1
  rm -f "$dir/pid"
  (listener_enter "$@") >"$dir/output" 2>&1 </dev/null &
  printf '%s\n' "$!" >"$dir/supervisor"
  # Until the subshell has become unshare, stop_listener would not know it.
  while listener_runs "$dir" && [[ -z $(listener_supervisor "$dir") ]]; do listener_pause; done
}

# listener_supervisor DIR: the pid in DIR/supervisor, when that process is the unshare that was
# started for DIR: a number in a file may long be another process's.
listener_supervisor() {
  local pid words
  pid=$(cat "$1/supervisor" 2>/dev/null) || return 1
  if [[ ! $pid =~ ^[0-9]+$ || ! -r /proc/$pid/cmdline ]]; then return 1; fi
  words=$(tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline") || return 1
  if [[ $words == unshare* ]] && grep -qxF -- "$1" <<<"$words"; then printf '%s\n' "$pid"; fi
}

# listener_main DIR: the pid of the server's main process: the supervisor's only child.
listener_main() {
  local supervisor
  supervisor=$(listener_supervisor "$1") || return 1
  if [[ -n $supervisor ]]; then pgrep -P "$supervisor"; fi
}

# listener_runs DIR: whether it was started and has not ended.
listener_runs() {
  local supervisor
  supervisor=$(cat "$1/supervisor" 2>/dev/null) && listener_alive "$supervisor"
}

# listener_pause: a moment, without a process for it.
listener_pause() { read -rt 0.05 <> <(:) || true; }

# listener_await DIR PORT: until the port answers, at most LISTENER_DEADLINE_S seconds.
listener_await() {
  local dir=$1 port=$2 end=$((SECONDS + LISTENER_DEADLINE_S))
  while listener_runs "$dir" && ((SECONDS < end)); do
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
      listener_main "$dir" >"$dir/pid"
      return 0
    fi
    listener_pause
  done
  {
    printf 'the server in %s does not answer on port %s. It said:\n' "$dir" "$port"
    tail -n 30 "$dir/output" "$dir/log"
  } >&2 2>/dev/null
  stop_listener "$dir"
  return 1
}

# Only to look at: no process is ever ended because it is in this list.
listener_pids() {
  local main namespace each
  main=$(listener_main "$1") || return 0
  if [[ -z $main ]]; then return 0; fi
  namespace=$(readlink "/proc/$main/ns/pid") || return 0
  if [[ $namespace == "$(readlink /proc/self/ns/pid)" ]]; then return 0; fi
  for each in /proc/[0-9]*; do
    if [[ $(readlink "$each/ns/pid" 2>/dev/null) == "$namespace" ]]; then
      printf '%s\n' "${each#/proc/}"
    fi
  done
}

# SIGTERM to the main process; when that does not end it, SIGKILL to it and to the supervisor. No other
# process is signalled.
stop_listener() {
  local dir=$1 main supervisor end=$((SECONDS + LISTENER_DEADLINE_S))
  supervisor=$(listener_supervisor "$dir") || supervisor=''
  if [[ -n $supervisor ]]; then
    main=$(listener_main "$dir") || main=''
    if [[ -n $main ]]; then kill "$main" 2>/dev/null || true; fi
    while listener_runs "$dir" && ((SECONDS < end)); do listener_pause; done
    if listener_runs "$dir" && [[ -n $(listener_supervisor "$dir") ]]; then
      # The namespace's first process: all in it end with it. The kernel forgets --kill-child's signal
      # when a process changes its user, as Postfix's master does, so the supervisor alone is not enough.
      if [[ -n $main ]]; then kill -9 "$main" 2>/dev/null || true; fi
      kill -9 "$supervisor" 2>/dev/null || true
      printf 'the server in %s had to be killed\n' "$dir" >&2
    fi
    wait "$supervisor" 2>/dev/null || true
  fi
  rm -f "$dir/supervisor" "$dir/pid"
}

start_nginx() {
  local dir=$1 port=$2 openssl_cnf=$3 reference certificates=''
  shift 3
  mkdir -p "$dir"
  for reference in "$@"; do
    certificates+="    ssl_certificate $reference; ssl_certificate_key $reference;"$'\n'
  done
  cat >"$dir/nginx.conf" <<CONF
user www-data;
worker_processes 2;
daemon off;
pid $dir/nginx.pid;
error_log $dir/log notice;
events { worker_connections 256; }
http {
  access_log off;
  server {
    listen 127.0.0.1:$port ssl;
    server_name mail.example.test;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache off;
    ssl_session_tickets off;
$certificates    location / { return 200 "hello from nginx\n"; }
  }
}
CONF
  listener_launch "$dir" OPENSSL_CONF="$openssl_cnf" nginx -e "$dir/log" -c "$dir/nginx.conf"
  listener_await "$dir" "$port"
}

prepare_postfix() {
  local dir=$1
  mkdir -p "$dir"
  if [[ ! -d $dir/spool ]]; then cp -a "$LISTENER_ROOT/var/spool/postfix" "$dir/spool"; fi
}

# The least Postfix that shakes hands: smtpd in its jail as Debian has it, and what smtpd asks for.
postfix_configuration() {
  local dir=$1 port=$2 openssl_cnf=$3
  shift 3
  local IFS=,
  cat >"$dir/postfix/main.cf" <<CONF
compatibility_level = 3.6
myhostname = mail.example.test
mydestination =
inet_protocols = ipv4
maillog_file = $dir/log
maillog_file_prefixes = $dir
smtpd_peername_lookup = no
smtpd_tls_security_level = may
smtpd_tls_chain_files = $*
smtpd_tls_loglevel = 1
tls_config_file = $openssl_cnf
smtpd_relay_restrictions = reject
alias_maps =
alias_database =
CONF
  cat >"$dir/postfix/master.cf" <<CONF
127.0.0.1:$port inet n - y - - smtpd
cleanup unix n - y - 0 cleanup
tlsmgr unix - - y 1000? 1 tlsmgr
rewrite unix - - y - - trivial-rewrite
proxymap unix - - n - - proxymap
anvil unix - - y - 1 anvil
postlog unix-dgram n - n - 1 postlogd
CONF
}

start_postfix() {
  local dir=$1 port=$2
  prepare_postfix "$dir"
  mkdir -p "$dir/postfix"
  postfix_configuration "$@"
  # shellcheck disable=SC2016  # expands inside the root
  listener_launch "$dir" sh -c '
    cp "$1"/postfix/*.cf /etc/postfix/ && postfix check && exec /usr/lib/postfix/sbin/master -i
  ' sh "$dir"
  listener_await "$dir" "$port"
}
