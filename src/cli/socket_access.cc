#include "cli/socket_access.h"

#include <grp.h>
#include <sys/stat.h>

#include <algorithm>

#include "keybroker/base/process.h"

namespace keybroker::cli {
namespace {

// What the broker gives the socket; see include/keybroker/policy/listener.h for the defaults.
struct SocketRights {
  uid_t owner = 0;
  gid_t group = 0;
  mode_t mode = 0;
};

Result<SocketRights> RightsOf(const config::Settings& settings, const policy::Listener& listener) {
  KB_ASSIGN(const User broker, FindUser(settings.broker_user));
  SocketRights rights{broker.uid, broker.gid, listener.mode};
  if (!listener.owner.empty()) {
    KB_ASSIGN(const User owner, FindUser(listener.owner));
    rights.owner = owner.uid;
  }
  if (!listener.group.empty()) {
    KB_ASSIGN(rights.group, FindGroup(listener.group));
  }
  return rights;
}

bool IsMember(const User& user, gid_t group) {
  if (user.gid == group) return true;
  std::vector<gid_t> groups(256);
  int count = static_cast<int>(groups.size());
  if (::getgrouplist(user.name.c_str(), user.gid, groups.data(), &count) < 0) return false;
  return std::find(groups.begin(), groups.begin() + count, group) != groups.begin() + count;
}

// The first class that fits decides, as in the kernel: an owner without the right is not helped by
// the group's.
bool MayConnect(const User& user, const SocketRights& rights) {
  if (user.uid == 0) return true;
  if (user.uid == rights.owner) return (rights.mode & S_IWUSR) != 0;
  if (IsMember(user, rights.group)) return (rights.mode & S_IWGRP) != 0;
  return (rights.mode & S_IWOTH) != 0;
}

}  // namespace

std::vector<std::string> UsersShutOut(const config::Settings& settings,
                                      const policy::Listener& listener) {
  std::vector<std::string> shut_out;
  const auto rights = RightsOf(settings, listener);
  if (!rights) return shut_out;  // whoever is missing is reported by name elsewhere
  for (const std::string& name : listener.users) {
    const auto user = FindUser(name);
    if (user && !MayConnect(*user, *rights)) shut_out.push_back(name);
  }
  return shut_out;
}

std::string ShutOutText(const config::Settings& settings, const policy::Listener& listener) {
  std::string names;
  for (const std::string& name : UsersShutOut(settings, listener)) {
    names += (names.empty() ? "" : ", ") + name;
  }
  if (names.empty()) return {};
  return "its socket's owner, group and mode keep out " + names +
         ", whose processes may ask: set group (or owner) in " +
         settings.ListenerFile(listener.name).string() + ", such as group = \"" +
         listener.users.back() + "\", then `keybroker reload`";
}

}  // namespace keybroker::cli
