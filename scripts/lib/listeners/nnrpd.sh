# shellcheck shell=bash
# start_nnrpd DIR PORT SNIPPETS [MODE]: NNTP on 127.0.0.1:PORT, TLS from the first byte when MODE is
# implicit (nnrpd -S), STARTTLS otherwise. INN serves one key: that of the snippet. A process for each
# connection, which reads the key anew; its stderr and stdout are the client's connection;
# it logs to syslog, of which there is one here that writes DIR/log.

start_nnrpd() {
  local dir=$1 port=$2 snippets=$3 mode=${4:-starttls}
  local -a environment
  local -a how=(-D -f -p "$port" -b 127.0.0.1 -c "$dir/readers.conf")
  if [[ $mode == implicit ]]; then how+=(-S); fi
  mkdir -p "$dir"
  mapfile -t environment < <(unit_environment "$snippets")
  {
    cat <<'CONF'
mta: "/usr/sbin/sendmail -oi -oem %s"
organization: test
ovmethod: tradindexed
hismethod: hisv6
domain: example.test
pathhost: mail.example.test
pathnews: /usr/lib/news
pathdb: /var/lib/news
pathetc: /etc/news
pathrun: /run/news
pathlog: /var/log/news
pathspool: /var/spool/news
nnrpdloadlimit: 0
nnrpdcheckart: false
CONF
    cat "$snippets/nnrpd.conf"
  } >"$dir/inn.conf"
  cat >"$dir/readers.conf" <<'CONF'
auth "local" {
  hosts: "127.0.0.1"
  default: "reader"
}
access "all" {
  users: "reader"
  newsgroups: "*"
}
CONF
  # shellcheck disable=SC2016  # expands inside the root
  listener_launch "$dir" INNCONF="$dir/inn.conf" "${environment[@]}" sh -c '
    perl -MSocket -e "
      socket(S, PF_UNIX, SOCK_DGRAM, 0) and bind(S, sockaddr_un(q(/dev/log))) or die;
      chmod 0666, q(/dev/log); fork and exit; open(L, q(>>), shift); select L; \$| = 1;
      while (defined recv(S, \$line, 8192, 0)) { print \$line, qq(\n) }
    " "$1/log" || exit
    install -d -o news -g news /run/news /var/log/news
    chown news: "$1/inn.conf" "$1/readers.conf"
    setpriv --reuid news --regid news --init-groups /usr/lib/news/bin/makehistory -O -x -F || exit
    shift
    exec setpriv --reuid news --regid news --init-groups /usr/lib/news/bin/nnrpd "$@"
  ' sh "$dir" "${how[@]}"
  listener_await "$dir" "$port"
}
