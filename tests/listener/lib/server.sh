# shellcheck shell=bash
# One server of tests/listener/servers, its listeners and its snippets. Source it after the others, with
# `server` and `variant` set. The server's file sets
#
#   kind            for `keybroker listener config --for`
#   users, signer   the listener's users; the one that signs
#   targets         see tls_client.py; the first port is $base_port
#   start DIR PORT SNIPPETS, and reload DIR where it can
#   jail            when it chroots: the word for prepare_jail
#   ports_take_turns  "yes": the loop uses one of a service's ports at a time
#   one_key         "yes": it serves one key, of $type
#   without_broker  "recovers" when it starts without a broker, and signs once that is there; else it fails
#   away_says       what is then in its log
#   silent_says     all that its log says, whatever is wrong with the key
#   refused_says    what is in its log when the broker refuses it in a handshake, where handshake_says is set
#   handshake_says  what is in its log when it cannot reach the broker in a handshake; empty: nothing
#   each_costs      the messages that a connection may cost where each has a process of its own; empty: a
#                   warm process takes one
#   after_outage    a function: what its operator has to do after the broker was away
#   bad_case_check PORT CASE      a function: what else has to be so when something of its is wrong
#   prepare_more, extra_checks    functions: before it starts; what only this server is tested for
#   second, second_signer, second_targets    when it serves a second listener, its name and the same of it
#
# and here are
#
#   dir, snippets             its folder and that of the first listener's snippets
#   way, root                 "engine" or, in the variant of that name, "provider": what it gets its key by;
#                             the listener-root with it
#   references                the folder with the first listener's references for the engine
#   add_server_listeners      "server", and the second; "mail", which none of its users may use
#   refresh_snippets DIR      writes them
#   start_server              or fails
#   labels, all_labels        of the first listener's targets, and of all

# Each test of the build has ports of its own, 300 of them.
readonly base_port=${KB_LISTENER_PORT:-24500}
jail='' one_key=no ports_take_turns=no second='' second_signer='' library=openssl type=rsa
second_targets=()
each_costs=''
without_broker=fails away_says='keybroker engine::broker away' silent_says=''
handshake_says='keybroker engine::broker away' refused_says='keybroker engine::listener refused'
after_outage() { :; }
prepare_more() { :; }
extra_checks() { :; }
bad_case_check() { :; }
dir=$work/server
snippets=$work/snippets
references=$snippets way=engine root=--all
if [[ $variant == provider ]]; then references=$work/references way=provider root=--provider; fi
# shellcheck source=/dev/null
source "$source_dir/tests/listener/servers/$server.sh"
if [[ $library == gnutls ]]; then handshake_says=''; fi
# pkcs11-provider does not pass on why there is no key.
if [[ $way == provider ]]; then away_says='private key|certificate key' handshake_says=''; fi
stop_server() { stop_listener "$dir"; }
# A test that failed may have left any of its servers.
stop_servers() {
  local supervisor
  for supervisor in "$work"/*/supervisor; do
    if [[ -f $supervisor ]]; then stop_listener "${supervisor%/supervisor}"; fi
  done
}
at_exit stop_servers

labels=("${targets[@]%%:*}")
all_labels=("${labels[@]}" "${second_targets[@]%%:*}")

# A user's number: of the root's, for the machine's own may be another.
uid_of() { if [[ $1 =~ ^[0-9]+$ ]]; then echo "$1"; else listener_uid "$1"; fi; }

# gid_of USER: of its primary group.
gid_of() { awk -F: -v user="$1" '$1 == user || $3 == user { gid = $4 } END { print gid ? gid : 65534 }' "$LISTENER_ROOT/etc/passwd"; }

add_server_listeners() {
  local user
  local -a words=()
  for user in "${users[@]}"; do words+=(--user "$(uid_of "$user")"); done
  if [[ -n $jail ]]; then
    prepare_jail "$jail" "$dir"
    words+=(--jail "$dir/jail")
  fi
  add_listener server --mode 0666 "${words[@]}"
  if [[ -n $second ]]; then add_listener "$second" --mode 0666 --user "$(uid_of "$second_signer")"; fi
  add_listener mail --mode 0666 --user root
}

refresh_snippets() {
  local -a words=()
  if [[ $one_key == yes ]]; then words+=(--type "$type"); fi
  if [[ $way == provider ]]; then
    words+=(--provider)
    write_snippets server "$kind" "$references"
  fi
  write_snippets server "$kind" "$1" "${words[@]}"
  if [[ $kind == stunnel ]]; then write_snippets server "$kind" "$1.ec" --type ec; fi
  if [[ -n $second ]]; then write_snippets "$second" "$kind" "$1.second"; fi
}

start_server() { start "$dir" "$base_port" "$snippets" || fail "$server does not start"; }

# set_users LISTENER USER...: who may use it, from the next message on.
set_users() {
  local file=$work/etc/listeners.d/$1.toml list
  shift
  list=$(printf '"%s", ' "$@")
  sed -i "s/^users = .*/users = [${list%, }]/" "$file"
  must keybroker reload
}
