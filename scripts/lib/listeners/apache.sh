# shellcheck shell=bash
# start_apache DIR PORT SNIPPETS [MPM]: HTTPS on 127.0.0.1:PORT; MPM is event (the default) or prefork.

start_apache() {
  local dir=$1 port=$2 snippets=$3 mpm=${4:-event} module
  local -a environment
  mkdir -p "$dir"
  mapfile -t environment < <(unit_environment "$snippets")
  {
    for module in "mpm_$mpm" authz_core alias ssl; do
      printf 'LoadModule %s_module /usr/lib/apache2/modules/mod_%s.so\n' "$module" "$module"
    done
    cat <<CONF
ServerName mail.example.test
ServerRoot $dir
DefaultRuntimeDir $dir
PidFile $dir/apache.pid
User www-data
Group www-data
ErrorLog $dir/log
LogLevel info
Listen 127.0.0.1:$port
SSLSessionCache none
Redirect 404 /
<VirtualHost 127.0.0.1:$port>
  SSLEngine on
  SSLProtocol -all +TLSv1.2 +TLSv1.3
  Include $snippets/apache.conf
</VirtualHost>
CONF
  } >"$dir/apache.conf"
  listener_launch "$dir" "${environment[@]}" apache2 -f "$dir/apache.conf" -D FOREGROUND
  listener_await "$dir" "$port"
}

# `apache2ctl graceful`: old workers finish what they are doing.
reload_apache() { kill -USR1 "$(cat "$1/pid")"; }
