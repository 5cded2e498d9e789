#!/bin/bash
# One real server, from Debian's package, with its keys on a token: every key and version, its identity,
# what it holds, how it takes reloads and restarts, and what it says when something is wrong.
#
# Usage: daemon_test.sh BUILD_FOLDER SERVER [VARIANT]
# SERVER is the name of a file in tests/listener/servers. Prints a line for each thing proved, and the
# table of the handshake loop.
# Exit status: 0 passed; 1 failed; 77 no root can be made here, so nothing was tested.
set -euo pipefail

build=$(realpath -- "$1")
server=$2
variant=${3-}
lib=$(realpath -- "$(dirname -- "$0")")/lib
for part in base stack handshakes audit loop snippets server checks messages faults bad_input; do
  # shellcheck source=/dev/null
  source "$lib/$part.sh"
done

prepare() {
  local status=0
  LISTENER_ROOT=$("$source_dir/scripts/listener-root" "$root") || status=$?
  case $status in
    0) ;;
    3)
      say "LEFT OUT: $server. No root can be made here; the reasons are above."
      exit 77
      ;;
    4)
      say "LEFT OUT: $server by pkcs11-provider. This machine's sources lead to no backports that have it."
      exit 77
      ;;
    *) fail "scripts/listener-root ended with status $status" ;;
  esac
  LISTENER_MOUNTS=("$build/lib" "$work")
  make_token
  make_ca
  make_keys
  add_server_listeners
  add_listener witness --mode 0666 --user root
  refresh_snippets "$snippets"
  write_snippets witness generic-openssl "$work/witness"
  write_snippets mail generic-openssl "$work/mail"
  start_keybroker
}

main() {
  prepare
  prepare_more
  start_server
  check_handshakes
  check_message_cost
  check_by_command
  check_identity
  check_nothing_secret
  check_jail
  check_present_user
  check_faults
  extra_checks
  check_start_without_broker
  check_bad_input
  say "$server${variant:+ ($variant)}: all of it in $SECONDS s"
}

if [[ -n ${KB_TEST_STEP-} ]]; then main() { prepare; prepare_more; start_server; $KB_TEST_STEP; }; fi
main
