# shellcheck shell=bash
# Makes and runs a whole keybroker in a folder, with the command line as an operator uses it. For
# scripts/demo and scripts/bench. Source it after common.sh, then:
#
#   stack_prepare DIR       folders, keybroker.toml, PINs; the names below are set
#   stack_token             a SoftHSM token
#   stack_key NAME TYPE     a key ("rsa" or "ec") on it
#   stack_test_ca           a root and an issuing CA (openssl)
#   stack_certify NAME TYPE request, signature by the test CA, installation
#   stack_listener NAME [OPTION...] a listener with a socket of its own, for our own user and
#                           whatever the options of `keybroker listener add` say
#   stack_start / stack_stop       `keybroker run`
#   stack_child PROGRAM     pid of the running broker or tokenhost
#   stack_await_serving     until the broker answers with the token's keys
#   stack_delete            what stack_prepare made outside DIR
#
# STACK_DIR, STACK_CONFIG, STACK_SOCKETS (a short path: socket names are limited to 107 bytes),
# STACK_PIN_FILE, STACK_MODULE, STACK_ENGINE, STACK_OPENSSL_CNF, STACK_RUN_PID.

readonly STACK_BIN=$KB_BUILD/release/bin
readonly STACK_MODULE=$KB_BUILD/release/lib/libkeybroker-pkcs11.so
readonly STACK_ENGINE=$KB_BUILD/release/lib/engines-3/keybroker.so
readonly STACK_SOFTHSM=/usr/lib/softhsm/libsofthsm2.so
# How long anything may take to become ready. A limit, not a wait.
readonly STACK_DEADLINE_S=60

STACK_RUN_PID=
STACK_SOCKETS=

# brief_pause: between two looks at something that changes in milliseconds.
brief_pause() { read -rt 0.02 <> <(:) || true; }

# keybroker ARGUMENT...: the command line, on this stack's configuration.
keybroker() { "$STACK_BIN/keybroker" --config "$STACK_CONFIG" "$@"; }

# shown_command ARGUMENT...: with STACK_SHOW=yes, the command line as an operator would type it, the
# stack's folders shortened.
shown_command() {
  if [[ ${STACK_SHOW:-no} != yes ]]; then return 0; fi
  local line="$*"
  line=${line//"$STACK_DIR"/DEMO}
  line=${line//"$STACK_SOCKETS"/RUN}
  line=${line//"$KB_BUILD"/BUILD}
  printf '$ keybroker %s\n' "$line"
}

# brief_keybroker ARGUMENT...: the same, told in one line; its notes go to STACK_DIR/notes.log, and
# are shown when it fails.
brief_keybroker() {
  local said
  shown_command "$@"
  said=$(keybroker "$@" 2>>"$STACK_DIR/notes.log") || {
    complain "keybroker $* failed:"
    tail -n 3 "$STACK_DIR/notes.log" >&2
    return 1
  }
  printf '%s\n' "${said%%$'\n'*}"
}

# for_token FILE...: gives files to the user that the tokenhost becomes.
for_token() { if is_root; then chown -R keybroker-token: "$@"; fi; }

random_pin() { openssl rand -hex 12; }

stack_prepare() {
  STACK_DIR=$1
  [[ $STACK_DIR == "$KB_BUILD"/?* && $STACK_DIR != *..* ]] || die "$STACK_DIR is not in $KB_BUILD."
  rm -rf -- "$STACK_DIR"
  mkdir -p "$STACK_DIR"/{etc,state,token/tokens,keys}
  STACK_SOCKETS=$(mktemp -d /tmp/kb.XXXXXX)
  chmod 0755 "$STACK_DIR" "$STACK_SOCKETS"
  STACK_CONFIG=$STACK_DIR/etc/keybroker.toml
  STACK_PIN_FILE=$STACK_DIR/pin
  (
    umask 077
    random_pin >"$STACK_PIN_FILE"
    random_pin >"$STACK_DIR/so-pin"
    cp "$STACK_PIN_FILE" "$STACK_DIR/token/pin"
  )
  printf 'directories.tokendir = %s\nlog.level = ERROR\n' "$STACK_DIR/token/tokens" \
    >"$STACK_DIR/token/softhsm2.conf"
  chmod 0700 "$STACK_DIR/token"
  for_token "$STACK_DIR/token"
  stack_settings >"$STACK_CONFIG"
  stack_openssl_cnf
}

stack_settings() {
  local me
  me=$(id -un)
  printf '[paths]\nruntime_dir = "%s"\nstate_dir = "%s"\nprofiles_dir = "%s"\n' \
    "$STACK_SOCKETS" "$STACK_DIR/state" "$KB_SOURCE/tokens"
  is_root || printf '[users]\nbroker_user = "%s"\ntoken_user = "%s"\n' "$me" "$me"
}

# One OpenSSL configuration for every listener: which key, and whose socket, is in the references.
stack_openssl_cnf() {
  STACK_OPENSSL_CNF=$STACK_DIR/openssl.cnf
  cat >"$STACK_OPENSSL_CNF" <<CNF
openssl_conf = openssl_init
[openssl_init]
engines = engine_section
[engine_section]
keybroker = keybroker_section
[keybroker_section]
engine_id = keybroker
dynamic_path = $STACK_ENGINE
MODULE_PATH = $STACK_MODULE
init = 1
CNF
}

stack_token() {
  brief_keybroker setup
  brief_keybroker token add main --module "$STACK_SOFTHSM" --label keybroker-demo --profile softhsm2 \
    --env "SOFTHSM2_CONF=$STACK_DIR/token/softhsm2.conf" --pin-file "$STACK_DIR/token/pin"
  brief_keybroker token init main --so-pin-file "$STACK_DIR/so-pin" --pin-file "$STACK_PIN_FILE" --yes
}

stack_key() {
  shown_command key generate "$1" --type "$2"
  keybroker key generate "$1" --type "$2"
}

stack_test_ca() {
  local ca=$STACK_DIR/ca
  mkdir -p "$ca"
  (
    cd "$ca" || exit
    openssl req -x509 -newkey rsa:2048 -nodes -keyout root.key -out root.pem -days 30 \
      -subj "/CN=Test Root" -addext basicConstraints=critical,CA:TRUE \
      -addext keyUsage=critical,keyCertSign,cRLSign
    openssl req -new -newkey rsa:2048 -nodes -keyout issuer.key -out issuer.csr \
      -subj "/CN=Test Issuer"
    printf '%s\n' basicConstraints=critical,CA:TRUE,pathlen:0 keyUsage=critical,keyCertSign,cRLSign \
      >issuer.ext
    openssl x509 -req -in issuer.csr -CA root.pem -CAkey root.key -CAcreateserial -days 30 \
      -extfile issuer.ext -out issuer.pem
  ) >"$STACK_DIR/ca.log" 2>&1
}

stack_certify() {
  local name=$1 type=$2 base=$STACK_DIR/keys/$1-$2 ca=$STACK_DIR/ca
  brief_keybroker request create "$name" --type "$type" -o "$base.csr"
  openssl req -in "$base.csr" -verify -noout >/dev/null 2>&1
  printf '%s\n' "subjectAltName=DNS:$name" keyUsage=critical,digitalSignature \
    extendedKeyUsage=serverAuth >"$base.ext"
  openssl x509 -req -in "$base.csr" -CA "$ca/issuer.pem" -CAkey "$ca/issuer.key" -CAcreateserial \
    -days 30 -extfile "$base.ext" -out "$base.crt" >>"$STACK_DIR/ca.log" 2>&1
  cat "$base.crt" "$ca/issuer.pem" >"$base.chain.pem"
  brief_keybroker certificate install "$name" "$base.chain.pem" --type "$type" --ca "$ca/root.pem"
}

stack_listener() {
  local name=$1
  shift
  brief_keybroker listener add "$name" --user "$(id -un)" "$@"
}

stack_start() {
  local end=$((SECONDS + STACK_DEADLINE_S))
  shown_command run
  # Not through the function above: the pid is to be the program's.
  "$STACK_BIN/keybroker" --config "$STACK_CONFIG" run >"$STACK_DIR/run.log" 2>&1 </dev/null &
  STACK_RUN_PID=$!
  until grep -q '^keybroker: ready' "$STACK_DIR/run.log"; do
    if ((SECONDS >= end)) || ! kill -0 "$STACK_RUN_PID" 2>/dev/null; then
      complain "keybroker run is not ready. It said:"
      tail -n 20 "$STACK_DIR/run.log" >&2
      return 1
    fi
    brief_pause
  done
}

stack_stop() {
  [[ -n $STACK_RUN_PID ]] || return 0
  kill "$STACK_RUN_PID" 2>/dev/null || true
  wait "$STACK_RUN_PID" || complain "keybroker run ended with status $?"
  STACK_RUN_PID=
}

stack_child() {
  local pid
  for pid in $(cat "/proc/$STACK_RUN_PID/task/$STACK_RUN_PID/children"); do
    if [[ $({ tr '\0' '\n' <"/proc/$pid/cmdline" | head -n 1; } 2>/dev/null) == */"$1" ]]; then
      printf '%s\n' "$pid"
      return 0
    fi
  done
  return 1
}

stack_await_serving() {
  local end=$((SECONDS + STACK_DEADLINE_S))
  until keybroker status >"$STACK_DIR/status.txt" 2>&1; do
    ((SECONDS < end)) || return 1
    brief_pause
  done
}

stack_delete() { [[ $STACK_SOCKETS != /tmp/kb.?* ]] || rm -rf -- "$STACK_SOCKETS"; }
