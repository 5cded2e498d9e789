# shellcheck shell=bash
# A whole keybroker for one test: a SoftHSM token with two keys, their certificates, listeners, and
# `keybroker run`. Source it after base.sh.
#
#   make_token, make_ca, make_keys    in this order
#   add_listener NAME WORD...         with its binding; WORD... is for `keybroker listener add`
#   start_keybroker, stop_keybroker
#   find_child PROGRAM                pid of the running broker or tokenhost, in $child
#   kill_and_await PROGRAM            SIGKILL, until its successor runs
#   keep_broker_away, let_broker_back the broker is dead and nothing starts it again; its end
#   await_serving                     until the broker answers with the token's keys

readonly name=mail.example.test
readonly types=(rsa ec)
run_pid=''

keybroker() { "$build/bin/keybroker" --config "$work/etc/keybroker.toml" "$@"; }

make_token() {
  mkdir -p "$work"/{etc,run,state,token/tokens,ca}
  printf 'directories.tokendir = %s\nlog.level = ERROR\n' "$work/token/tokens" \
    >"$work/token/softhsm2.conf"
  (umask 077 && echo 271828182845 >"$work/pin" && cp "$work/pin" "$work/token/pin" &&
    echo 31415926 >"$work/so-pin")
  local -a users=()
  if [[ $(id -u) -eq 0 ]]; then
    chown -R keybroker-token: "$work/token"
  else
    users=(--broker-user "$(id -un)" --token-user "$(id -un)")
  fi
  must keybroker setup --runtime-dir "$work/run" --state-dir "$work/state" \
    --profiles-dir "$source_dir/tokens" "${users[@]}"
  must keybroker token add main --module /usr/lib/softhsm/libsofthsm2.so --label listeners \
    --profile softhsm2 --env "SOFTHSM2_CONF=$work/token/softhsm2.conf" --pin-file "$work/token/pin"
  must keybroker token init main --so-pin-file "$work/so-pin"
}

# A CA that clients trust, and the one under it that issues: who sends no chain is not believed.
make_ca() {
  local ca=$work/ca
  must openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
    -subj "/CN=Test CA" -keyout "$ca/ca.key" -out "$ca/ca.crt"
  must openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
    -subj "/CN=Test Issuing CA" -keyout "$ca/issuing.key" -out "$ca/issuing.csr"
  printf 'basicConstraints=critical,CA:true,pathlen:0\nkeyUsage=critical,keyCertSign\n' >"$ca/issuing.ext"
  must openssl x509 -req -in "$ca/issuing.csr" -CA "$ca/ca.crt" -CAkey "$ca/ca.key" -CAcreateserial \
    -days 30 -extfile "$ca/issuing.ext" -out "$ca/issuing.crt"
  printf 'subjectAltName=DNS:%s\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n' \
    "$name" >"$work/ca/leaf.ext"
}

# certify TYPE [ID]: a certificate for the key, by the issuing CA, installed with its chain.
certify() {
  local type=$1 ca=$work/ca
  must keybroker request create "$name" --type "$type" ${2:+--id "$2"} -o "$ca/$type.csr"
  must openssl x509 -req -in "$ca/$type.csr" -CA "$ca/issuing.crt" -CAkey "$ca/issuing.key" \
    -CAcreateserial -days 30 -extfile "$ca/leaf.ext" -out "$ca/$type.crt"
  cat "$ca/issuing.crt" >>"$ca/$type.crt"
  must keybroker certificate install "$name" "$ca/$type.crt" --type "$type" --ca "$ca/ca.crt"
}

make_keys() {
  local type
  for type in "${types[@]}"; do
    must keybroker key generate "$name" --type "$type"
    certify "$type"
  done
}

add_listener() {
  must keybroker listener add "$@"
  must keybroker listener bind "$1" "$name"
}

start_keybroker() {
  "$build/bin/keybroker" --config "$work/etc/keybroker.toml" run >"$work/run.log" 2>&1 </dev/null &
  run_pid=$!
  eventually grep -q '^keybroker: ready' "$work/run.log" || fail "keybroker run is not ready"
}
stop_keybroker() {
  [[ -n $run_pid ]] || return 0
  kill -CONT "$run_pid" 2>/dev/null || true
  stop_child "$run_pid"
  run_pid=''
}
at_exit stop_keybroker

find_child() {
  local -a children=() words
  read -ra children <"/proc/$run_pid/task/$run_pid/children" || true
  for child in "${children[@]}"; do
    words=()
    { mapfile -n 1 -d '' -t words <"/proc/$child/cmdline"; } 2>/dev/null || continue
    if [[ ${words[0]-} == */"$1" ]]; then return 0; fi
  done
  return 1
}

await_serving() { eventually keybroker status || fail "the broker does not serve"; }

successor() {
  local child
  find_child "$1" && [[ $child != "$2" ]]
}
kill_and_await() {
  local child
  find_child "$1" || fail "$1 does not run"
  kill -9 "$child"
  eventually successor "$1" "$child" || fail "$1 was not started again"
}

# The supervisor is held still, so that it does not start another.
keep_broker_away() {
  local child
  find_child keybrokerd || fail "the broker does not run"
  kill -STOP "$run_pid"
  kill -9 "$child"
}
let_broker_back() {
  kill -CONT "$run_pid"
  await_serving
}
