# shellcheck shell=bash
# What holds of a server at rest: its handshakes, who it is to the broker, what its processes hold.

check_targets() {
  local target label port_of_it protocol its_types
  for target in "$@"; do
    IFS=: read -r label port_of_it protocol its_types <<<"$target"
    all_handshakes "$label" "$port_of_it" "$protocol" "$its_types"
  done
}

# listener_check LISTENER TARGET [WORD...]: what `keybroker listener check` says of that port.
listener_check() {
  local label port_of_it protocol its_types starttls=none
  local -a words=()
  IFS=: read -r label port_of_it protocol its_types <<<"$2"
  case $protocol in
    smtp | imap | pop3 | nntp) starttls=$protocol ;;
  esac
  if [[ $its_types != *,* ]]; then words=(--type "$its_types"); fi
  keybroker listener check "$1" --connect "localhost:$port_of_it" --starttls "$starttls" --name "$name" \
    --ca "$work/ca/ca.crt" "${words[@]}" "${@:3}" 2>&1
}

# check_by_command: what an operator runs finds every port good, each version with each key.
check_by_command() {
  local target said
  for target in "${targets[@]}"; do
    said=$(listener_check server "$target") || fail "listener check of ${target%%:*} says: $said"
  done
  for target in "${second_targets[@]}"; do
    said=$(listener_check "$second" "$target") || fail "listener check of ${target%%:*} says: $said"
  done
  if said=$(listener_check mail "${targets[0]}"); then fail "listener check takes $server for mail: $said"; fi
  say "  listener check of another listener there: $(tail -n 1 <<<"$said")"
  say "ok: $server: keybroker listener check finds every port good"
}

# The other key of a server that serves one.
check_other_type() {
  [[ $one_key == yes ]] || return 0
  stop_server
  type=ec
  refresh_snippets "$snippets"
  start_server
  check_targets "${targets[@]/%rsa/ec}"
  stop_server
  type=rsa
  refresh_snippets "$snippets"
  start_server
}

# only_signer MARK LISTENER USER: it signed since then, and nobody else under that name.
only_signer() {
  local said
  said=$(signed_since "$1" "$2")
  [[ $said =~ ^$(uid_of "$3")\ [0-9]+$ ]] ||
    fail "as listener $2 signed (uid and how often): ${said//$'\n'/, }; expected: $3, $(uid_of "$3")"
}

check_handshakes() {
  local mark
  mark=$(audit_mark)
  check_targets "${targets[@]}"
  only_signer "$mark" server "$signer"
  if [[ -n $second ]]; then
    [[ -z $(signed_since "$mark" "$second") ]] || fail "the first listener signed as the second"
    mark=$(audit_mark)
    check_targets "${second_targets[@]}"
    only_signer "$mark" "$second" "$second_signer"
    [[ -z $(signed_since "$mark" server) ]] || fail "the second listener signed as the first"
    say "ok: $server: two listeners, of uid $(uid_of "$signer") and $(uid_of "$second_signer"), are told apart"
  fi
  say "ok: $server: every signature is recorded as of $signer"
  check_other_type
}

# as_user USER FILE: what a process of that user gets when it reads a reference and signs. The file need
# not be one that this user can read.
as_user() {
  install -m 644 "$2" "$work/as-user.pem"
  OPENSSL_CONF=$work/witness/openssl.cnf setpriv --reuid "$(uid_of "$1")" --regid "$(gid_of "$1")" --clear-groups \
    "$build/bin/read_key" "$work/as-user.pem" 2>&1
}

# Every socket here admits everybody (0666): it is the broker that refuses.
check_identity() {
  local said
  as_user "$signer" "$references/$name.rsa.pem" >/dev/null || fail "$signer has no key at its own socket"
  if said=$(as_user "$signer" "$work/mail/$name.rsa.pem"); then fail "$signer uses the mail key"; fi
  grep -q '^error listener refused: the broker refuses this process as listener at .*/mail/socket' \
    <<<"$said" || fail "$signer at mail's socket was told: $said"
  if said=$(as_user 65534 "$references/$name.rsa.pem") && [[ $signer != nobody ]]; then
    fail "another user has $signer's key"
  fi
  if [[ $signer != nobody ]]; then
    grep -q '^error listener refused: the broker refuses' <<<"$said" || fail "another user was told: $said"
  fi
  if [[ -n $second && $second_signer != "$signer" ]]; then
    if as_user "$signer" "$snippets.second/$name.rsa.pem" >/dev/null; then fail "$signer is $second too"; fi
  fi
  say "ok: $server: $signer is refused at another listener's socket, and another user at its own"
}

check_nothing_secret() {
  local -a pids
  local found status=0
  mapfile -t pids < <(listener_pids "$dir")
  ((${#pids[@]} > 0)) || fail "there is no process of $server to search"
  "$build/bin/secret_search" --text-file "$work/pin" --certificate "$work/ca/rsa.crt" \
    --certificate "$work/ca/ec.crt" "${pids[@]}" \
    >"$work/search.log" 2>&1 || status=$?
  ((status == 0)) || fail "secret_search ended with status $status: $(cat "$work/search.log")"
  pids=("${pids[@]/#//proc/}")
  found=$(grep -ls softhsm "${pids[@]/%//maps}" || true)
  [[ -z $found ]] || fail "the token's library is in $found"
  if grep -rlF --exclude-dir=top "$(cat "$work/pin")" "$dir" "$snippets"*; then
    fail "the PIN is in the files above"
  fi
  # A reference is the one thing that is armoured as a private key.
  if grep -rlE --exclude-dir=top --exclude-dir=snippets '^-----BEGIN [A-Z ]*PRIVATE KEY' "$dir"; then
    fail "a private key is in the files above"
  fi
  say "ok: $server: neither PIN nor key in its files and its ${#pids[@]} processes"
}

# descriptors PID: what it has open, one "NUMBER WHAT" a line; a Unix socket with its type.
descriptors() {
  local fd what socket_type inode path
  local -A sockets=()
  while read -r _ _ _ _ socket_type _ inode path; do
    if [[ $socket_type == 0005 ]]; then socket_type=unix-seqpacket; else socket_type=unix-other; fi
    sockets[socket:[$inode]]="$socket_type $path"
  done <"/proc/$1/net/unix"
  # What is closed meanwhile is no matter.
  { find "/proc/$1/fd" -mindepth 1 -printf '%f %l\n' 2>/dev/null || true; } | while read -r fd what; do
    if [[ $what == socket:* ]]; then
      what=${sockets[$what]-inet}
    elif [[ -d /proc/$1/root/$what || -d /proc/$1/fd/$fd/. ]]; then
      what="directory $what"
    fi
    printf '%s %s\n' "$fd" "$what"
  done
}

# in_jail PID: whether its root is a folder that it cannot leave.
in_jail() { [[ /proc/$1/root -ef $dir/jail ]]; }

# The module's only descriptors in a jailed process are connections to the broker.
check_jail() {
  [[ -n $jail ]] || return 0
  local pid found jailed=0 sockets=0
  # Some of its processes end when they were idle for a while.
  ! handshake_fails "$base_port" || fail "no handshake"
  for pid in $(listener_pids "$dir"); do
    in_jail "$pid" || continue
    jailed=$((jailed + 1))
    found=$(descriptors "$pid")
    say "  $(tr '\0' ' ' <"/proc/$pid/cmdline" | cut -c1-40) (in $jail's jail): $(cut -d ' ' -f 2- <<<"$found" |
      sed "s|$work|WORK|" | sort | uniq -c | awk '{n = $1; $1 = ""; printf "%s%s x%d", s, $0, n; s = ","}')"
    if grep -q ' directory ' <<<"$found"; then fail "a jailed process has a directory open: $found"; fi
    if grep -qE 'keybroker|/run/' <<<"$found"; then fail "a jailed process has a file of ours open: $found"; fi
    sockets=$((sockets + $(grep -c unix-seqpacket <<<"$found" || true)))
  done
  ((jailed > 0)) || fail "no process of $server is in its jail"
  ((sockets > 0)) || fail "no jailed process is connected to the broker"
  say "ok: $server: of the module, its $jailed jailed processes keep $sockets connections open, nothing else"
}

# A server that loads its key as root and signs as another is judged by who it is when it signs, although
# root made the connection; one that was started by the wrong user is refused. Its log, or listener
# check, says so.
check_present_user() {
  local label port_of_it protocol its_types said line user wrong=1
  local -a words user_numbers=()
  for user in "${users[@]}"; do user_numbers+=("$(uid_of "$user")"); done
  IFS=: read -r label port_of_it protocol its_types <<<"${targets[0]}"
  s_client_words "$protocol"
  if [[ ${users[0]} == root ]]; then wrong=0; fi
  set_users server "$wrong"
  if handshake "$port_of_it" "${its_types%,*}" -tls1_3 "${words[@]}"; then
    fail "$signer signs though only uid $wrong may"
  fi
  if [[ -n $handshake_says ]]; then
    eventually log_matches "$dir" "$refused_says" || fail "$server: its log does not tell that $signer is refused"
    log_line "$dir" "$refused_says"
    say "  of the wrong user: ${line:0:300}"
  fi
  if said=$(listener_check server "${targets[0]}"); then fail "listener check finds nothing wrong: $said"; fi
  grep -qE 'refuse' <<<"$said" || fail "listener check does not tell that $signer is refused: $said"
  say "    listener check: $(brief "${said%%$'\n'*}")"
  set_users server "${user_numbers[@]}"
  eventually handshake "$port_of_it" "${its_types%,*}" -tls1_3 "${words[@]}" ||
    fail "$label does not sign though $signer may again"
  say "ok: $server: judged as $signer, whoever started it and made the connection"
}
