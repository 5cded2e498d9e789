# shellcheck shell=bash
# INN's nnrpd: a process for each connection loads its one key and signs as news.
kind=nnrpd users=(news) signer=news without_broker=recovers each_costs=3 one_key=yes type=${type:-rsa}
# Whatever is wrong; `keybroker listener check` knows more.
handshake_says=''
silent_says='unable to get private key from' away_says='unable to get private key from'
targets=("nnrpd-$variant:$base_port:$([[ $variant == implicit ]] && echo nntps || echo nntp):$type")
start() { start_nnrpd "$1" "$2" "$3" "$variant"; }

# What the client gets is compared, piece by piece, with what nnrpd sends with an ordinary key in a file,
# and with a file that holds no key.
stream() { "$python" -I "$source_dir/tests/listener/nntp_stream.py" "$1" "$variant" || fail "no stream"; }

plain_key_files() {
  local to=$work/$1-files
  mkdir -p "$to"
  must openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$name" -keyout "$to/key.pem" \
    -out "$to/crt.pem"
  if [[ $1 == no-key ]]; then echo none >"$to/key.pem"; fi
  chgrp 9 "$to"/*.pem
  chmod 640 "$to"/*.pem
  printf 'tlscertfile: %s\ntlskeyfile: %s\n' "$to/crt.pem" "$to/key.pem" >"$to/nnrpd.conf"
}

ill=''  # what a client gets when nnrpd has no key

check_stream() {
  local well got case
  for case in plain-key no-key; do
    plain_key_files "$case"
    start "$work/$case" "$((base_port + 200))" "$work/$case-files" || fail "nnrpd does not start"
    if [[ $case == plain-key ]]; then well=$(stream "$((base_port + 200))"); else ill=$(stream "$((base_port + 200))"); fi
    stop_listener "$work/$case"
  done
  got=$(stream "$base_port")
  [[ $got == "$well" ]] || fail "a client gets $got; with a key in a file: $well"
  keep_broker_away
  got=$(stream "$base_port")
  [[ $got == "$ill" ]] || fail "while the broker is away, a client gets $got; with no key in the file: $ill"
  let_broker_back
  must keybroker listener unbind server "$name"
  must keybroker reload
  got=$(stream "$base_port")
  [[ $got == "$ill" ]] || fail "when it is refused, a client gets $got; with no key in the file: $ill"
  must keybroker listener bind server "$name"
  must keybroker reload
  got=$(stream "$base_port")
  [[ $got == "$well" ]] || fail "after all, a client gets $got; with a key in a file: $well"
  say "  with a key: ${well//$'\n'/ | }"
  say "  without:    ${ill//$'\n'/ | }"
  say "ok: nnrpd: the client's stream is that of a key in a file, also while the broker is away or refuses"
}
extra_checks() { check_stream; }

bad_case_check() {
  local got
  got=$(stream "$1")
  [[ $got == "$ill" ]] || fail "with $2, a client gets $got; with no key in the file: $ill"
  say "  $2: the client's stream is that of a file without a key"
}
