# shellcheck shell=bash
# write_snippets LISTENER KIND DIR [WORD...]: fills DIR with what a server of that kind needs, by the
# command that an operator runs.
write_snippets() { must keybroker listener config "$1" --for "$2" --write "$3" "${@:4}"; }
