# shellcheck shell=bash
# shellcheck disable=SC2034  # scripts/lib/bench/listeners.sh uses them
# How a server comes to its key, for scripts/bench listeners. Source it after stack.sh.
#
#   make_file_keys          keys in files, of the test's CA, beside those on the token
#   make_token_copies       SoftHSM's files once more for each server, whose users read them by themselves
#   start_p11_kit           p11-kit's server on the token; p11_kit_pid
#   write_way WAY SERVER TYPE DIR   the snippets of a server (scripts/lib/listeners.sh) for that way
#
# WAYS names the ways: file, softhsm (in the server's process, by libp11's engine), keybroker, p11-kit
# (its client in the server's process, by libp11's engine).

readonly WAYS=(file softhsm keybroker p11-kit)
readonly TYPES=(rsa ec)
readonly P11_KIT_CLIENT=/usr/lib/x86_64-linux-gnu/pkcs11/p11-kit-client.so
readonly LIBP11_ENGINE=/usr/lib/x86_64-linux-gnu/engines-3/pkcs11.so
readonly URI_KEY_ENGINE=$KB_BUILD/release/lib/bench/uri_key.so
# Of uri_key.so.
readonly URI_KEY_OID=2.25.83801711852376714598854506663632283633
declare -A server_user=([nginx]=www-data [dovecot]=dovenull)

make_file_keys() {
  local type base ca=$STACK_DIR/ca
  for type in "${TYPES[@]}"; do
    base=$STACK_DIR/file/$type
    mkdir -p "$STACK_DIR/file"
    case $type in
      rsa) openssl genrsa -out "$base.key" 2048 ;;
      ec) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$base.key" ;;
    esac
    openssl req -new -key "$base.key" -subj "/CN=$KEY" -out "$base.csr"
    openssl x509 -req -in "$base.csr" -CA "$ca/issuer.pem" -CAkey "$ca/issuer.key" -CAcreateserial \
      -days 30 -extfile "$STACK_DIR/keys/$KEY-$type.ext" -out "$base.crt"
    cat "$base.crt" "$ca/issuer.pem" >"$base.chain.pem"
  done
}

# SoftHSM opens its files for each signature, as the user that the server has become.
make_token_copies() {
  local server dir uid
  for server in "${!server_user[@]}"; do
    dir=$STACK_DIR/softhsm-$server
    uid=$(listener_uid "${server_user[$server]}")
    mkdir -m 0700 "$dir"
    cp -a "$STACK_DIR/token/tokens" "$dir/"
    printf 'directories.tokendir = %s\nlog.level = ERROR\n' "$dir/tokens" >"$dir/softhsm2.conf"
    chown -R "$uid" "$dir"
  done
}

# In the foreground, so that it is ours to end. Its socket must admit the servers' users.
start_p11_kit() {
  local dir=$STACK_SOCKETS/p11-kit end=$((SECONDS + STACK_DEADLINE_S))
  mkdir -m 0755 "$dir"
  SOFTHSM2_CONF=$STACK_DIR/token/softhsm2.conf p11-kit server --foreground --name "$dir/socket" \
    --provider "$STACK_SOFTHSM" "pkcs11:token=$TOKEN" >"$STACK_DIR/p11-kit.log" 2>&1 </dev/null &
  p11_kit_pid=$!
  until [[ -S $dir/socket ]]; do
    if ((SECONDS >= end)) || ! kill -0 "$p11_kit_pid"; then die "no p11-kit server: $STACK_DIR/p11-kit.log"; fi
    brief_pause
  done
  chmod 0666 "$dir/socket"
}

# key_uri TYPE: of the token's key, by its CKA_ID, for the label is that of both types.
key_uri() {
  keybroker --json key show "$KEY" --type "$1" | python3 -c '
import json, sys
id = bytes.fromhex(json.load(sys.stdin)["keys"][0]["id"])
print("pkcs11:token=" + sys.argv[1] + ";id=" + "".join(f"%{byte:02X}" for byte in id) + ";type=private")
' "$TOKEN"
}

# uri_key_file URI: the key file that uri_key.so reads.
uri_key_file() {
  local der
  der=$(mktemp "$STACK_DIR/uri.XXXXXX")
  openssl asn1parse -noout -out "$der" -genconf - <<CNF >/dev/null
asn1 = SEQUENCE:info
[info]
version = INTEGER:0
algorithm = SEQUENCE:algorithm
key = "FORMAT:ASCII,OCTETSTRING:$1"
[algorithm]
oid = OID:$URI_KEY_OID
CNF
  printf -- '-----BEGIN PRIVATE KEY-----\n'
  openssl base64 -in "$der"
  printf -- '-----END PRIVATE KEY-----\n'
  rm -f -- "$der"
}

# libp11_cnf MODULE: libp11's engine with that module and the token's PIN.
libp11_cnf() {
  cat <<CNF
openssl_conf = openssl_init
[openssl_init]
engines = engine_section
[engine_section]
pkcs11 = pkcs11_section
uri_key = uri_key_section
[pkcs11_section]
engine_id = pkcs11
dynamic_path = $LIBP11_ENGINE
MODULE_PATH = $1
PIN = $(cat "$STACK_PIN_FILE")
init = 1
[uri_key_section]
engine_id = uri_key
dynamic_path = $URI_KEY_ENGINE
init = 1
CNF
}

# The file holds the PIN, which no environment and no command line may.
write_libp11_cnf() {
  (umask 077 && libp11_cnf "$1" >"$2/openssl.cnf")
  chown "$(listener_uid "${server_user[$3]}")" "$2/openssl.cnf"
}

# write_snippet SERVER DIR CHAIN KEY [NAME=VALUE...]: the environment's names last the server's forks.
write_snippet() {
  local server=$1 dir=$2 chain=$3 key=$4
  shift 4
  case $server in
    nginx)
      printf 'ssl_certificate %s;\nssl_certificate_key "%s";\n' "$chain" "$key" >"$dir/nginx.conf"
      if (($# > 0)); then printf 'Environment=%s\n' "$@" >"$dir/systemd.conf"; fi
      ;;
    dovecot)
      printf 'ssl_cert = <%s\nssl_key = <%s\n' "$chain" "$key" >"$dir/dovecot.conf"
      if (($# > 0)); then
        printf 'import_environment = TZ CORE_OUTOFMEM CORE_ERROR LISTEN_PID LISTEN_FDS NOTIFY_SOCKET %s\n' "$*"
        printf 'service %s {\n  chroot =\n}\n' imap-login pop3-login
      fi >>"$dir/dovecot.conf"
      ;;
  esac
}

write_way() {
  local way=$1 server=$2 type=$3 dir=$4 chain key uri
  local -a environment=("OPENSSL_CONF=$dir/openssl.cnf")
  mkdir -p "$dir"
  chain=$STACK_DIR/keys/$KEY-$type.chain.pem
  case $way in
    file)
      write_snippet "$server" "$dir" "$STACK_DIR/file/$type.chain.pem" "$STACK_DIR/file/$type.key"
      return
      ;;
    keybroker)
      keybroker listener config "$server" --for "$server" --type "$type" --write "$dir" \
        --module "$STACK_MODULE" --engine "$STACK_ENGINE" >>"$STACK_DIR/setup.log" 2>&1
      return
      ;;
    softhsm)
      write_libp11_cnf "$STACK_SOFTHSM" "$dir" "$server"
      environment+=("SOFTHSM2_CONF=$STACK_DIR/softhsm-$server/softhsm2.conf")
      ;;
    p11-kit)
      write_libp11_cnf "$P11_KIT_CLIENT" "$dir" "$server"
      environment+=("P11_KIT_SERVER_ADDRESS=unix:path=$STACK_SOCKETS/p11-kit/socket")
      ;;
  esac
  uri=$(key_uri "$type")
  case $server in
    nginx) key=engine:pkcs11:$uri ;;
    dovecot)
      key=$dir/key.pem
      uri_key_file "$uri" >"$key"
      ;;
  esac
  write_snippet "$server" "$dir" "$chain" "$key" "${environment[@]}"
}
