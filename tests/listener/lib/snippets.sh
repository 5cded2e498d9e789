# shellcheck shell=bash
# write_snippets LISTENER KIND DIR [TYPE]: fills DIR with what a server of that kind needs, by the command
# that an operator runs.
write_snippets() {
  must keybroker listener config "$1" --for "$2" --write "$3" ${4:+--type "$4"}
}
# TO BE DELETED, with its file, when `keybroker listener config` is there.
if [[ $("$build/bin/keybroker" listener --help) != *"  config"* ]]; then
  # shellcheck source=tests/listener/lib/snippets_stopgap.sh
  source "$(dirname -- "${BASH_SOURCE[0]}")/snippets_stopgap.sh"
fi
