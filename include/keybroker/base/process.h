#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "keybroker/base/result.h"

namespace keybroker {

// HardenProcess makes this process undumpable (PR_SET_DUMPABLE 0), limits core files to nothing
// and forbids gaining privileges by exec. First call of every main.
Status HardenProcess();

// User is an account of the passwd database.
struct User {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
};

// FindUser looks an account up by name or decimal uid; FindGroup gives a gid. NotFound when a name
// is absent; a decimal id needs no account (a uid's group is then the one of the same number).
Result<User> FindUser(std::string_view name);
Result<gid_t> FindGroup(std::string_view name);

// BecomeUser gives up root for good: groups, gid and uid, real, effective and saved, and proves
// that there is no way back. Does nothing when the process runs as that uid already. Fails Denied
// when the process is neither root nor that user.
Status BecomeUser(const User& user);

// LeaveSession takes a child of ours, which will run as another user or load code that is not ours,
// out of the operator's session, so that it can neither type into his terminal nor read from it,
// and holds nothing of what its parent had open: a session of its own, /dev/null as stdin, for root
// a terminal as stdout or stderr opened anew for writing only, and no other descriptor but keep
// (-1: none). Fails in the leader of a process group.
Status LeaveSession(int keep);

}  // namespace keybroker
