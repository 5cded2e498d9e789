# shellcheck shell=bash
# stunnel in Debian's jail: one process reads the key as root and signs as stunnel4. A service for
# each key.
kind=stunnel users=(root stunnel4) signer=stunnel4 jail=stunnel
targets=("stunnel-rsa:$base_port:https:rsa" "stunnel-ec:$((base_port + 1)):https:ec")
start() { start_stunnel "$1" "$2" "$3" "$3.ec" "$((base_port + 20))"; }
mkdir "$work/empty"
"$python" -I -m http.server --bind 127.0.0.1 --directory "$work/empty" "$((base_port + 20))" >"$work/backend.log" 2>&1 &
backend_pid=$!
stop_backend() { stop_child "$backend_pid"; }
at_exit stop_backend
