#include "keybroker/config/settings.h"

namespace keybroker::config {

std::string DefaultSettingsText() {
  return R"(# keybroker.toml: read by keybrokerd, keybroker-tokenhost and keybroker.
# Every option stands here with its default. A key that is not listed here is an error.
# Relative paths start at this file's directory. `keybroker run --check` checks this file and every
# file it names; `keybroker reload` makes a running broker read listeners.d and current.toml again.
# Changes to this file take effect at the next start.

[paths]
# Sockets, one folder per listener. At most 60 characters. Warning: listeners remember their socket's
# path in their reference files; write those again after a change.
runtime_dir = "/run/keybroker"

# The PIN guard's records and the audit logs. Warning: a deleted PIN guard record forgets that a
# wrong PIN was tried, and a token that counts wrong PINs can then lock itself for good.
state_dir = "/var/lib/keybroker"

# One TOML file per listener: who may sign with which keys. Warning: whoever can write here decides
# that; keep it root's.
listeners_dir = "listeners.d"

# One TOML file per token: its vendor's module and where its PIN is. Warning: the module named there
# is loaded and run; keep it root's.
tokens_dir = "tokens.d"

# Which of several keys of one name and type is the current one. Written by `keybroker`.
current_file = "current.toml"

# Measured facts about token models (tokens/README.md).
profiles_dir = "/usr/share/keybroker/tokens"

[users]
# The user of keybrokerd, when started as root. Warning: it must not be able to read the PIN file.
broker_user = "keybroker"

# The user of keybroker-tokenhost, when started as root; it reads the PIN file and owns the token.
# Warning: with the same user for both, a broken-into broker reaches the PIN.
token_user = "keybroker-token"

# The group that may use the admin socket (status, why, reload) beside root; empty: root only.
# Warning: status shows every key name and listener.
admin_group = ""

[broker]
# Threads that carry requests to the token, 1 to 64. More than the token has sessions is no gain. With
# several tokens each has one fewer for itself (but one at least), and all have one more in common: a
# token that hangs takes none of the others'.
workers = 4

# Connections per listener, 1 to 65536. A further one is closed at once. Warning: each takes one of
# the broker's file descriptors (LimitNOFILE).
max_connections = 1024

# Longest time in milliseconds that a request may take, 100 to 300000; a listener may ask for less,
# not for more. Warning: below the token's slowest signature, handshakes fail.
request_deadline_ms = 10000

# How long in milliseconds requests wait for a tokenhost that is away, 0 to 60000, counted from the
# moment it went; after that they fail at once until it is back. Warning: event-loop servers stand
# still while they wait.
unavailable_budget_ms = 1000

[audit]
# "each": one record for each signature. "per-second": one record a second with the number of
# signatures that are alike; refusals are recorded in either case. Warning: "per-second" loses which
# process made which signature.
signatures = "each"

# What happens to signatures while the audit log cannot be written, for instance on a full disk.
# "refuse": none without a record, for any listener. "continue": TLS goes on, with a warning in the
# broker's log. Warning: with "continue" a full disk hides what was signed.
on_failure = "refuse"

# How many MiB the broker's audit log grows to, 0 to 1000, before it is moved to audit.log.TIME and a
# new one begins that names it; 0: it grows for ever. Nothing deletes the older ones: `keybroker audit
# verify` checks all that are there, so move them away when they are kept elsewhere. Warning: a
# permitted listener that signs without pause writes some 400 bytes a signature, as fast as the token
# signs (4 MB a second at 10,000), and rotation frees no room. Give STATE_DIR/broker a file system or
# a quota of its own and watch its room; or signatures = "per-second".
rotate_mib = 256

[backup]
# What `backup export` may make; the first is what it makes when nothing is said. "pkcs12": for who
# knows a password. "cms": for who has the key of a recovery certificate; the host that exports
# knows no key and no password then. Warning: with "pkcs12" whoever may export chooses the password,
# and so can open the file.
formats = ["pkcs12", "cms"]

# The recovery certificates of CMS backups, at most 16 files (PEM or DER), RSA of 2048, 3072 or 4096
# bits. Each of their private keys opens every CMS backup; keep those off this host
# (docs/recovery.md). Warning: whoever can write here, or to these files, decides who can read the
# keys of this host's backups from then on; keep them root's.
recipients = []

# PBKDF2-HMAC-SHA256 iterations of a new backup, 600000 to 10000000; its MAC gets twice as many.
# Warning: they buy a weak password little time, and every restore and drill waits for them.
iterations = 600000

# Least number of characters of a backup's password that somebody thought of, 15 to 200; `backup
# export --generate` makes a better one. Warning: whoever has the file and guesses it has the key.
password_length = 15

# Whether `backup restore --exportable` may make a key that can be wrapped again. Warning: then
# whoever may restore on this host may also export, under a password of his own.
restore_exportable = false

# Days after which `keybroker doctor` warns of a key whose last verified backup is older.
backup_days = 180

# Days after which it warns of a key whose backup was last restored in a drill.
drill_days = 90
)";
}

}  // namespace keybroker::config
