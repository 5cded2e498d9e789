# shellcheck shell=bash
# TO BE DELETED when `keybroker listener config` is there: the same files by hand.
write_snippets() {
  local listener=$1 kind=$2 dir=$3 only=${4-} type socket
  local -a refs=() uris=()
  mkdir -p "$dir"
  socket=$work/run/$listener/socket
  for type in rsa ec; do
    must keybroker reference write "$name" --type "$type" --listener "$listener" \
      -o "$dir/$name.$type.pem"
    if [[ -n $only && $only != "$type" ]]; then continue; fi
    refs+=("$dir/$name.$type.pem")
    uris+=("$(openssl asn1parse -in "$dir/$name.$type.pem" | sed -n 's/.*OCTET STRING *://p' |
      sed 's/?.*//')")
  done
  cat >"$dir/openssl.cnf" <<CONF
openssl_conf = openssl_init
[openssl_init]
engines = engine_section
[engine_section]
keybroker = keybroker_section
[keybroker_section]
engine_id = keybroker
dynamic_path = $build/lib/engines-3/keybroker.so
MODULE_PATH = $build/lib/libkeybroker-pkcs11.so
init = 1
CONF
  printf 'module: %s\nx-init-reserved: socket=%s\ncritical: no\n' \
    "$build/lib/libkeybroker-pkcs11.so" "$socket" >"$dir/keybroker.module"
  case $kind in
    nginx | apache | haproxy | stunnel | nnrpd)
      printf '[Service]\nEnvironment=OPENSSL_CONF=%s/openssl.cnf\n' "$dir" >"$dir/systemd.conf"
      ;;
    generic-gnutls)
      printf '[Service]\nEnvironment=KEYBROKER_SOCKET=%s\n' "$socket" >"$dir/systemd.conf"
      ;;
  esac
  # nnrpd refuses a key file that everybody can read. news is 9 in every Debian.
  if [[ $kind == nnrpd ]]; then chmod 640 "$dir"/*.pem && chgrp 9 "$dir"/*.pem; fi
  snippet_text "$kind" "$dir" >"$dir/$kind.conf"
}
snippet_text() {
  local dir=$2 ref
  printf '# made by hand\n'
  case $1 in
    nginx) for ref in "${refs[@]}"; do printf 'ssl_certificate %s;\nssl_certificate_key %s;\n' "$ref" "$ref"; done ;;
    apache) for ref in "${refs[@]}"; do printf 'SSLCertificateFile %s\nSSLCertificateKeyFile %s\n' "$ref" "$ref"; done ;;
    haproxy) printf 'ssl'; printf ' crt %s' "${refs[@]}"; printf '\n' ;;
    stunnel) printf 'cert = %s\nkey = %s\n' "${refs[0]}" "${refs[0]}" ;;
    postfix) printf 'tls_config_file = %s/openssl.cnf\nsmtpd_tls_chain_files =\n' "$dir"
      printf '    %s\n' "${refs[@]}" ;;
    dovecot)
      cat <<CONF
import_environment = TZ CORE_OUTOFMEM CORE_ERROR LISTEN_PID LISTEN_FDS NOTIFY_SOCKET OPENSSL_CONF=$dir/openssl.cnf
ssl_cert = <${refs[0]}
ssl_key = <${refs[0]}
ssl_alt_cert = <${refs[1]}
ssl_alt_key = <${refs[1]}
service imap-login {
  chroot =
}
service pop3-login {
  chroot =
}
CONF
      ;;
    nnrpd) printf 'tlscertfile: %s\ntlskeyfile: %s\n' "${refs[0]}" "${refs[0]}" ;;
    exim)
      # Exim empties its environment, and GnuTLS does not pass x-init-reserved on.
      printf 'keep_environment =\nadd_environment = KEYBROKER_SOCKET=%s\n' "$socket"
      printf 'tls_certificate = <| %s | %s\n' "${refs[@]}"
      printf 'tls_privatekey = <| %s | %s\n' "${uris[@]}"
      ;;
    generic-gnutls)
      printf '#   %s\n' "${refs[@]}"
      printf '#   %s\n' "${uris[@]}"
      ;;
  esac
}
