# shellcheck shell=bash
# Handshakes with a running server, and what is read off them. Source it after stack.sh.
#
#   handshake PORT TYPE WORD...       one, by openssl s_client; WORD... are further options of it
#   all_handshakes WHAT PORT TYPES WORD...
#   s_client_words PROTOCOL           the options that PROTOCOL (see tls_client.py) needs, in $words

# TYPE pkcs1 is RSA by PKCS#1 v1.5.
handshake() {
  local port=$1 signatures=ECDSA+SHA256 said
  case $2 in
    rsa) signatures=RSA-PSS+SHA256:RSA+SHA256 ;;
    pkcs1) signatures=RSA+SHA256 ;;
  esac
  shift 2
  OPENSSL_CONF=/dev/null timeout 30 openssl s_client -connect "127.0.0.1:$port" \
    -servername "$name" -CAfile "$work/ca/ca.crt" -verify_return_error -verify_hostname "$name" \
    -sigalgs "$signatures" "$@" >"$work/handshake.log" 2>&1 </dev/null || return 1
  # bash complains of a zero byte.
  { said=$(<"$work/handshake.log"); } 2>/dev/null
  [[ $said == *'Verify return code: 0'* ]]
}

s_client_words() {
  case $1 in
    smtp | imap | pop3 | nntp) words=(-starttls "$1") ;;
    *) words=() ;;
  esac
}

# all_handshakes WHAT PORT PROTOCOL TYPES: each type with both versions, and RSA PKCS#1 v1.5.
all_handshakes() {
  local what=$1 port=$2 type version
  local -a words
  s_client_words "$3"
  for type in ${4//,/ }; do
    for version in -tls1_2 -tls1_3; do
      handshake "$port" "$type" "$version" "${words[@]}" ||
        fail "$what: no $type handshake with $version on port $port"
    done
    if [[ $type == rsa ]]; then
      handshake "$port" pkcs1 -tls1_2 "${words[@]}" || fail "$what: no RSA PKCS#1 v1.5 handshake"
    fi
  done
  say "ok: $what: $4; TLS 1.2 and 1.3, chain and name verified"
}
