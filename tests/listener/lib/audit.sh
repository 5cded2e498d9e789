# shellcheck shell=bash
# What the broker wrote down. Source it after stack.sh.
#
#   audit_mark                         a place in the log
#   signed_since MARK LISTENER         "UID COUNT" for each uid that signed as that listener since then

audit_mark() { wc -l <"$work/state/broker/audit.log"; }

signed_since() {
  awk -v mark="$1" -v listener="$2" '
    BEGIN { begin = "\"action\":\"sign\",\"subject\":\"" listener "\",\"uid\":" }
    NR > mark && (at = index($0, begin)) && index($0, "\"decision\":\"granted\",\"result\":\"ok\"") {
      count[substr($0, at + length(begin)) + 0]++
    }
    END { for (uid in count) print uid, count[uid] }
  ' "$work/state/broker/audit.log"
}
