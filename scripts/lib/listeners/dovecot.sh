# shellcheck shell=bash
# start_dovecot DIR PORT SNIPPETS POP3_SNIPPETS [SERVICE_COUNT [POP3_USER]]: IMAP with STARTTLS on
# 127.0.0.1:PORT and with TLS on PORT + 1, POP3 the same on PORT + 2 and PORT + 3. imap-login serves the
# first folder's listener, pop3-login the second's. SERVICE_COUNT 1 (Debian's default) makes a login
# process for each connection, 0 one for all. POP3_USER is a user of its own for pop3-login, made
# with the number 4711; dovenull must be its primary group.

dovecot_configuration() {
  local dir=$1 port=$2 snippets=$3 pop3_snippets=$4 service_count=${5:-1} pop3_user=${6:-dovenull}
  cat <<CONF
protocols = imap pop3
base_dir = /run/dovecot
log_path = $dir/log
listen = 127.0.0.1
ssl = yes
disable_plaintext_auth = yes
mail_location = maildir:/tmp/%u
passdb {
  driver = static
  args = password=never
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}
service imap-login {
  service_count = $service_count
  inet_listener imap {
    port = $port
  }
  inet_listener imaps {
    port = $((port + 1))
    ssl = yes
  }
}
service pop3-login {
  service_count = $service_count
  user = $pop3_user
  inet_listener pop3 {
    port = $((port + 2))
  }
  inet_listener pop3s {
    port = $((port + 3))
    ssl = yes
  }
}
!include $snippets/dovecot.conf
protocol pop3 {
$(grep '^ssl_' "$pop3_snippets/dovecot.conf")
}
CONF
}

start_dovecot() {
  local dir=$1 port=$2 pop3_user=${6:-dovenull}
  mkdir -p "$dir"
  dovecot_configuration "$@" >"$dir/dovecot.conf"
  # shellcheck disable=SC2016  # expands inside the root
  listener_launch "$dir" sh -c '
    mkdir -p /run/dovecot
    id "$2" >/dev/null 2>&1 || useradd -r -u 4711 -g dovenull -s /usr/sbin/nologin "$2"
    exec dovecot -F -c "$1/dovecot.conf"
  ' sh "$dir" "$pop3_user"
  listener_await "$dir" "$port"
}

# `doveadm reload` sends the same signal.
reload_dovecot() { kill -HUP "$(cat "$1/pid")"; }
