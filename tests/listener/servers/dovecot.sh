# shellcheck shell=bash
# Dovecot: imap-login and pop3-login load the key and sign as dovenull, a listener for each. Variant
# "each": service_count 1, a process for each connection; "pooled": service_count 0, and pop3-login
# under a user of its own.
kind=dovecot users=(dovenull) signer=dovenull without_broker=recovers
second=pop3 second_signer=dovenull service_count=1 pop3_user=dovenull
# A new process takes a connection of its service's first port, also when it was started for the other: on
# a busy machine a loop at the first starves one at the second, whatever key there is.
if [[ $variant == each ]]; then ports_take_turns=yes each_costs=3; fi
if [[ $variant == pooled ]]; then
  # A number, for the user is made when the server starts.
  second_signer=4711 service_count=0 pop3_user=kb-pop3
fi
targets=("imap:$base_port:imap:rsa,ec" "imaps:$((base_port + 1)):imaps:rsa,ec")
second_targets=("pop3:$((base_port + 2)):pop3:rsa,ec" "pop3s:$((base_port + 3)):pop3s:rsa,ec")
start() { start_dovecot "$1" "$2" "$3" "$3.second" "$service_count" "$pop3_user"; }
reload() { reload_dovecot "$1"; }
