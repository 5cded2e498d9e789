#include "keybroker/base/process.h"

#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <vector>

namespace keybroker {
namespace {

template <typename Id>
bool ParseId(std::string_view text, Id* id) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *id);
  // The highest value means "no change" to the system calls that take an id.
  return error == std::errc() && end == text.data() + text.size() && *id != static_cast<Id>(-1);
}

}  // namespace

Status HardenProcess() {
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0) return Fail(SystemError("RLIMIT_CORE", errno));
  if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return Fail(SystemError("PR_SET_DUMPABLE", errno));
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return Fail(SystemError("PR_SET_NO_NEW_PRIVS", errno));
  }
  return {};
}

Result<User> FindUser(std::string_view name) {
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  const std::string text(name);
  ::getpwnam_r(text.c_str(), &entry, buffer.data(), buffer.size(), &found);
  uid_t uid = 0;
  if (found == nullptr && ParseId(name, &uid)) {
    ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
    if (found == nullptr) return User{text, uid, static_cast<gid_t>(uid)};
  }
  if (found == nullptr) return Fail(NotFound("there is no user \"" + text + "\""));
  return User{entry.pw_name, entry.pw_uid, entry.pw_gid};
}

Result<gid_t> FindGroup(std::string_view name) {
  constexpr size_t kMaxEntry = size_t{1} << 22;
  std::vector<char> buffer(16384);
  group entry{};
  group* found = nullptr;
  const std::string text(name);
  // A group with many members does not fit the first buffer.
  while (::getgrnam_r(text.c_str(), &entry, buffer.data(), buffer.size(), &found) == ERANGE &&
         buffer.size() < kMaxEntry) {
    buffer.resize(2 * buffer.size());
  }
  if (found != nullptr) return entry.gr_gid;
  gid_t gid = 0;
  if (ParseId(name, &gid)) return gid;
  return Fail(NotFound("there is no group \"" + text + "\""));
}

Status BecomeUser(const User& user) {
  uid_t real = 0;
  uid_t effective = 0;
  uid_t saved = 0;
  ::getresuid(&real, &effective, &saved);
  if (real == user.uid && effective == user.uid && saved == user.uid) return {};
  if (effective != 0) {
    return Fail(Denied("this must run as root or as the user \"" + user.name + "\""));
  }
  // A change of uid also clears the parent-death signal (prctl(2)), which a supervisor relies on.
  const pid_t parent = ::getppid();
  int death_signal = 0;
  ::prctl(PR_GET_PDEATHSIG, &death_signal, 0, 0, 0);
  if (::initgroups(user.name.c_str(), user.gid) != 0 && ::setgroups(1, &user.gid) != 0) {
    return Fail(SystemError("cannot set the groups of " + user.name, errno));
  }
  if (::setresgid(user.gid, user.gid, user.gid) != 0 ||
      ::setresuid(user.uid, user.uid, user.uid) != 0) {
    return Fail(SystemError("cannot become " + user.name, errno));
  }
  if (user.uid != 0 && (::setuid(0) == 0 || ::getuid() != user.uid)) {
    return Fail(Internal("root was not given up"));
  }
  if (death_signal != 0) {
    ::prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0);
    if (::getppid() != parent) ::raise(death_signal);  // it died while nothing was set
  }
  // A change of uid sets the process dumpable again (prctl(2)).
  return HardenProcess();
}

}  // namespace keybroker
