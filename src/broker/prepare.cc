#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "broker/bind_endpoint.h"
#include "broker/server.h"
#include "keybroker/ipc/directory.h"

// What keybrokerd does before it gives up root.
namespace keybroker::broker {
namespace {

// MakeStateDirectory makes the directory of the audit log: the broker's own, closed to all others.
Status MakeStateDirectory(const config::Settings& settings, const User& broker) {
  const auto directory = settings.BrokerStateDir();
  KB_TRY(ipc::MakeSafeDirectory(directory.parent_path()));
  const bool root = ::geteuid() == 0;
  return ipc::EnsureDirectory(
      directory, {root ? broker.uid : ::geteuid(), root ? broker.gid : ::getegid(), 0700});
}

Result<UniqueFd> BindAdmin(const config::Settings& settings, const User& broker) {
  Endpoint admin{"admin", settings.AdminSocket(), {}, broker.uid, broker.gid, 0600};
  if (!settings.admin_group.empty()) {
    KB_ASSIGN(admin.group, FindGroup(settings.admin_group));
    admin.mode = 0660;
  }
  return BindEndpoint(admin);
}

}  // namespace

Result<Prepared> Prepare(config::Settings settings, std::vector<ipc::ActivatedSocket> activated) {
  Prepared prepared;
  KB_ASSIGN(prepared.broker, BrokerUser(settings));
  KB_ASSIGN(prepared.configuration, LoadConfiguration(settings, prepared.broker));
  KB_TRY(MakeStateDirectory(settings, prepared.broker));
  std::set<std::string> names;
  std::vector<BoundEndpoint> given;
  for (ipc::ActivatedSocket& socket : activated) {
    if (socket.name.empty()) {
      return Fail(
          Malformed("a socket of LISTEN_FDS has no name; set FileDescriptorName= to the "
                    "listener's name, or to admin"));
    }
    if (socket.name == "admin") {
      prepared.admin = std::move(socket.fd);
      continue;
    }
    names.insert(socket.name);
    Endpoint endpoint;
    endpoint.listener = socket.name;
    given.push_back({std::move(endpoint), std::move(socket.fd)});
  }
  // First what listens already: a second broker ends here, before it takes the listeners' names.
  if (!prepared.admin) {
    KB_ASSIGN(prepared.admin, BindAdmin(settings, prepared.broker));
  }
  prepared.binder = std::make_unique<Binder>(settings, prepared.broker, std::move(names));
  KB_ASSIGN(prepared.sockets, prepared.binder->BindFirst(prepared.configuration));
  for (BoundEndpoint& socket : given) prepared.sockets.push_back(std::move(socket));
  if (::geteuid() == 0 && prepared.broker.uid != 0) KB_TRY(prepared.binder->Separate());
  prepared.settings = std::move(settings);
  return prepared;
}

}  // namespace keybroker::broker
