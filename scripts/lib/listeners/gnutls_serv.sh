# shellcheck shell=bash
# start_gnutls_serv DIR PORT SNIPPETS: HTTPS on 127.0.0.1:PORT, one process, as `nobody`. The
# snippet is text for a reader: the chains and the keys' URIs that it names are the options here.

start_gnutls_serv() {
  local dir=$1 port=$2 snippets=$3
  local -a options environment
  mkdir -p "$dir"
  mapfile -t options < <(sed -n "s|^#   \(/.*\)|--x509certfile=\1|p; s|^#   \(pkcs11:.*\)|--x509keyfile=\1|p" \
    "$snippets/generic-gnutls.conf")
  mapfile -t environment < <(unit_environment "$snippets")
  # shellcheck disable=SC2016  # expands inside the root
  listener_launch "$dir" "${environment[@]}" sh -c '
    mkdir -p /etc/pkcs11/modules
    cp "$1/keybroker.module" /etc/pkcs11/modules/
    shift
    exec setpriv --reuid nobody --regid nogroup --clear-groups gnutls-serv "$@"
  ' sh "$snippets" --http --port "$port" "${options[@]}"
  listener_await "$dir" "$port"
}
