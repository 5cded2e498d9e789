# shellcheck shell=bash
# start_postfix DIR PORT SNIPPETS [IMPLICIT_PORT]: SMTP with STARTTLS on 127.0.0.1:PORT, and with TLS
# from the first byte on IMPLICIT_PORT, both in the jail.

# The least Postfix that shakes hands: smtpd in its jail as Debian has it, and what smtpd asks for.
postfix_configuration() {
  local dir=$1 port=$2 snippets=$3 implicit_port=${4-}
  {
    cat <<CONF
compatibility_level = 3.6
myhostname = mail.example.test
mydestination =
inet_protocols = ipv4
maillog_file = $dir/log
maillog_file_prefixes = $dir
smtpd_peername_lookup = no
smtpd_tls_security_level = may
smtpd_tls_loglevel = 1
smtpd_relay_restrictions = reject
alias_maps =
alias_database =
CONF
    cat "$snippets/postfix.conf"
  } >"$dir/postfix/main.cf"
  {
    printf '127.0.0.1:%s inet n - y - - smtpd\n' "$port"
    if [[ -n $implicit_port ]]; then
      printf '127.0.0.1:%s inet n - y - - smtpd -o smtpd_tls_wrappermode=yes\n' "$implicit_port"
    fi
    cat <<'CONF'
cleanup unix n - y - 0 cleanup
tlsmgr unix - - y 1000? 1 tlsmgr
rewrite unix - - y - - trivial-rewrite
proxymap unix - - n - - proxymap
anvil unix - - y - 1 anvil
postlog unix-dgram n - n - 1 postlogd
CONF
  } >"$dir/postfix/master.cf"
}

start_postfix() {
  local dir=$1 port=$2
  prepare_jail postfix "$dir"
  mkdir -p "$dir/postfix"
  postfix_configuration "$@"
  # `postfix check`, which comes first where Debian starts it, makes what is missing in the spool, and warns:
  # a hundred programs. The package has made all that smtpd needs.
  # shellcheck disable=SC2016  # expands inside the root
  listener_launch "$dir" sh -c '
    cp "$1"/postfix/*.cf /etc/postfix/ && exec /usr/lib/postfix/sbin/master -i
  ' sh "$dir"
  listener_await "$dir" "$port"
}

# `postfix reload` sends master the same signal.
reload_postfix() { kill -HUP "$(cat "$1/pid")"; }
