# shellcheck shell=bash
# What a server says, in its own log, when something of its is wrong. Source it after server.sh.

# server_log DIR: what the server wrote anywhere.
server_log() { cat "$1"/*log "$1/output" 2>/dev/null || true; }
log_matches() { grep -aqsE -- "$2" "$1"/*log "$1/output"; }

# log_line DIR PATTERN: the first line there that matches, in $line.
log_line() {
  line=$(grep -ahsE -m 1 -- "$2" "$1"/*log "$1/output" || true)
  line=${line%%$'\n'*}
  [[ -n $line ]]
}

# brief TEXT: the first 300 characters of each line.
brief() {
  local each
  while IFS= read -r each; do printf '%s\n' "${each:0:300}"; done <<<"$1"
}

# handshake_fails FIRST_PORT: none succeeds with the server there.
handshake_fails() {
  local label port_of_it protocol its_types
  local -a words
  IFS=: read -r label port_of_it protocol its_types <<<"${targets[0]}"
  s_client_words "$protocol"
  ! handshake "$((port_of_it - base_port + $1))" "${its_types%,*}" -tls1_3 "${words[@]}"
}

# spoiled_files CASE: a copy of the snippets for that case.
spoiled_files() {
  local to=$work/bad-$1-files part
  local -a made=()
  for part in '' .ec .second; do
    if [[ -d $snippets$part ]]; then
      cp -a "$snippets$part" "$to$part"
      made+=("$to$part")
    fi
  done
  find "${made[@]}" -type f -exec sed -i "s|$snippets|$to|g" {} +
}

# check_finds FIRST_PORT FILES: what `keybroker listener check` finds wrong there: with the handshake, and
# with each reference among the files.
check_finds() {
  local label port_of_it protocol its_types said
  IFS=: read -r label port_of_it protocol its_types <<<"${targets[0]}"
  if said=$(listener_check server "$label:$((port_of_it - base_port + $1)):$protocol:$its_types" --files "$2"); then
    fail "$server: listener check finds nothing wrong: $said"
  fi
  printf '%s\n' "${said%%$'\n'*}"
  grep '^/.* used as ' <<<"$said"
}

# What listener check says of a server's files in each case, by the way that it gets its key.
declare -A tried=(
  [engine:truncated]='it is no reference' [engine:foreign-oid]='it is no reference'
  [engine:other-id]='key not found: ' [engine:no-openssl-conf]='gives the key'
  [engine:no-engine]='could not load the shared library' [engine:no-module]='PKCS#11 module missing: '
  [engine:no-pkcs11]='not a PKCS#11 module: '
  [gnutls:other-id]='names a key by id 00' [gnutls:no-module]='PKCS#11 module missing: '
  [gnutls:no-pkcs11]='not a PKCS#11 module: '
  [provider:other-id]='names a key by id 00' [provider:no-module]='PKCS#11 module missing: '
  # The provider is in the root, and this command outside.
  [provider:no-openssl-conf]='gives the key|pkcs11-provider is not loaded')

# says CASE PATTERN: starts the server with that case's files; no handshake may succeed, and what it
# logged must match. `keybroker listener check` fails too, and tells.
says() {
  local at=$work/bad-$1 line found='' shown expected key_by=$way
  if [[ $library == gnutls ]]; then key_by=gnutls; fi
  if start "$at" "$((base_port + 100))" "$at-files" 2>/dev/null; then
    handshake_fails "$((base_port + 100))" || fail "$server: a handshake succeeds with $1"
    eventually log_matches "$at" "$2" || true
    bad_case_check "$((base_port + 100))" "$1"
  fi
  # Of a server that does not even start it is told too.
  found=$(check_finds "$((base_port + 100))" "$at-files")
  stop_listener "$at"
  log_line "$at" "$2" || {
    server_log "$at" >&2
    fail "$server: its log does not tell of $1"
  }
  shown=$(grep -aoE -- "error:.*|$2.*" <<<"$line")
  shown=${shown%%$'\n'*}
  say "  $1: ${shown:0:300}"
  say "    listener check: $(brief "$found")"
  expected=${tried[$key_by:$1]}
  grep -qE "used as .*: .*$expected" <<<"$found" || fail "$server: listener check does not tell of $1"
}
listener_gone() { ! listener_runs "$1"; }

spoil_references() {
  must "$python" -I -S "$source_dir/tests/listener/spoil_reference.py" "$1" "$work/bad-$1-files"*/"$name".*.pem
}

# change_files CASE SED_SCRIPT FILE...
change_files() {
  local case=$1 script=$2 wanted file
  local -a files=()
  shift 2
  for wanted in "$@"; do
    for file in "$work/bad-$case-files"*/"$wanted"; do
      if [[ -f $file ]]; then files+=("$file"); fi
    done
  done
  sed -i "$script" "${files[@]}"
}

check_bad_input() {
  stop_server
  case $library in
    openssl) "bad_input_$way" ;;
    gnutls) bad_input_gnutls ;;
  esac
  if [[ -n $jail ]]; then no_socket_in_jail; fi
  say "ok: $server: its own log names each cause"
}

# The broker does not listen inside this server's jail: it goes on with the connection from before the jail,
# when it has one, and cannot make another.
no_socket_in_jail() {
  local at=$work/bad-jail line said
  start "$at" "$((base_port + 100))" "$snippets" || fail "$server does not start with another jail"
  handshake_fails "$((base_port + 100))" || true
  kill_and_await keybrokerd
  await_serving
  handshake_fails "$((base_port + 100))" || fail "$server reaches the broker from a jail without a socket"
  if said=$(listener_check server "${targets[0]/:$base_port:/:$((base_port + 100)):}"); then
    fail "$server: listener check finds nothing wrong without a socket in the jail"
  fi
  grep -q "only by the socket inside $dir/jail" <<<"$said" ||
    fail "$server: listener check does not tell of the jail: $said"
  if [[ -z $handshake_says ]]; then
    stop_listener "$at"
    say "  no socket in the jail: handshakes fail, and its log does not say why"
    return
  fi
  eventually log_matches "$at" "$handshake_says" || fail "$server: its log does not tell of the missing socket"
  log_line "$at" "$handshake_says"
  stop_listener "$at"
  say "  no socket in the jail: ${line:0:300}"
}

bad_input_engine() {
  local how
  for how in truncated foreign-oid other-id no-openssl-conf no-engine no-module no-pkcs11; do
    spoiled_files "$how"
  done
  spoil_references truncated
  says truncated "${silent_says:-unsupported|error loading private key}"
  spoil_references foreign-oid
  says foreign-oid "${silent_says:-unsupported}"
  spoil_references other-id
  says other-id "${silent_says:-keybroker engine::key not found}"
  change_files no-openssl-conf "s|OPENSSL_CONF=[^ ]*|OPENSSL_CONF=/dev/null|; s|^tls_config_file.*||" \
    systemd.conf dovecot.conf postfix.conf
  says no-openssl-conf "${silent_says:-unsupported}"
  # As when libp11, which it is linked with, is not there.
  change_files no-engine "s|^dynamic_path = .*|dynamic_path = /nowhere/keybroker.so|" openssl.cnf
  says no-engine "${silent_says:-unsupported|could not load the shared library|private key}"
  change_files no-module "s|^MODULE_PATH = .*|MODULE_PATH = /nowhere.so|" openssl.cnf
  says no-module "${silent_says:-keybroker engine::PKCS#11 module missing}"
  change_files no-pkcs11 "s|^MODULE_PATH = .*|MODULE_PATH = $build/lib/engines-3/keybroker.so|" openssl.cnf
  says no-pkcs11 "${silent_says:-keybroker engine::not a PKCS#11 module}"
}

bad_input_provider() {
  local how
  for how in other-id no-openssl-conf no-module; do spoiled_files "$how"; done
  spoil_references other-id
  says other-id 'cannot load|error loading private key|No such|not found|could not'
  change_files no-openssl-conf "s|OPENSSL_CONF=[^ ]*|OPENSSL_CONF=/dev/null|; s|^tls_config_file.*||" \
    systemd.conf postfix.conf
  says no-openssl-conf "unsupported|error loading private key|no start line"
  change_files no-module "s|^pkcs11-module-path = .*|pkcs11-module-path = /nowhere.so|" openssl.cnf
  says no-module 'cannot load|error loading private key|unsupported'
}

bad_input_gnutls() {
  local how
  for how in other-id no-module no-pkcs11; do spoiled_files "$how"; done
  change_files other-id "s|id=%..|id=%00|g" exim.conf generic-gnutls.conf
  says other-id 'could not be found|not available'
  change_files no-module "s|^module: .*|module: /nowhere.so|" keybroker.module
  says no-module 'could not be found|not available'
  change_files no-pkcs11 "s|^module: .*|module: $build/lib/engines-3/keybroker.so|" keybroker.module
  says no-pkcs11 'could not be found|not available'
}

# What becomes of a server that is started while the broker is away. `without_broker` says what is
# expected: "fails" at the start, or "recovers" when the broker is there. Both say why in the log.
check_start_without_broker() {
  local up=yes line begin now said
  stop_server
  keep_broker_away
  start "$dir" "$base_port" "$snippets" 2>/dev/null || up=no
  if [[ $up == yes ]]; then
    handshake_fails "$base_port" || fail "$server signs without a broker"
    eventually log_matches "$dir" "$away_says" || true
    # Some open the port before they read the key.
    if [[ ${without_broker:-fails} == fails ]] && eventually listener_gone "$dir"; then up=no; fi
  fi
  log_line "$dir" "$away_says" || {
    server_log "$dir" >&2
    fail "$server: its log does not tell that the broker is away"
  }
  if said=$(listener_check server "${targets[0]}"); then fail "listener check finds nothing wrong: $said"; fi
  grep -qi 'no broker is running' <<<"$said" || fail "listener check does not tell that no broker runs: $said"
  let_broker_back
  after_outage
  if [[ $up == yes ]]; then
    now_ns begin
    until ! handshake_fails "$base_port"; do
      now_ns now
      ((now - begin < deadline_s * 1000000000)) || fail "$server does not recover"
    done
    now_ns now
    line+=" [signs $(((now - begin) / 1000000)) ms after the broker is back]"
  fi
  say "  started without broker: comes up: $up; ${line:0:300}"
  [[ ${without_broker:-fails} == "$([[ $up == yes ]] && echo recovers || echo fails)" ]] ||
    fail "$server started without broker: comes up: $up; expected that it ${without_broker:-fails}"
}
