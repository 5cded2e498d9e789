# shellcheck shell=bash
# What the broker wrote down. Source it after stack.sh.
#
#   audit_mark                         a place in the log
#   signed_since MARK LISTENER         "UID COUNT" for each uid that signed as that listener since then

audit_mark() { wc -l <"$work/state/broker/audit.log"; }

signed_since() {
  tail -n "+$(($1 + 1))" "$work/state/broker/audit.log" |
    sed -n "s/.*\"action\":\"sign\",\"subject\":\"$2\",\"uid\":\([0-9]*\),.*\"decision\":\"granted\",\"result\":\"ok\".*/\1/p" |
    sort -n | uniq -c | awk '{print $2, $1}'
}
