#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "broker/endpoint.h"
#include "keybroker/base/process.h"
#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"
#include "keybroker/policy/current_keys.h"
#include "keybroker/policy/listener.h"

namespace keybroker::broker {

// ListenerSetup is a listener's file with its names looked up.
struct ListenerSetup {
  policy::Listener policy;
  std::vector<uid_t> uids;          // of policy.users
  std::vector<Endpoint> endpoints;  // its own socket, then one in each jail
};

// Configuration is everything a reload reads: listener files, current.toml, the tokens' names.
struct Configuration {
  std::vector<std::shared_ptr<const ListenerSetup>> listeners;  // by name
  policy::CurrentKeys current;
  std::vector<std::string> tokens;    // by name
  std::vector<std::string> warnings;  // of what is left out, one sentence each
};

// LoadConfiguration reads it all. broker is the user who owns a socket whose file names no owner.
// A jail that is not there is left out with a warning: one server that is not installed must not
// keep the others from being served. Malformed has every complaint, one a line, each with its file
// (and line where there is one).
Result<Configuration> LoadConfiguration(const config::Settings& settings, const User& broker);

// BrokerUser is who keybrokerd runs as: settings.broker_user when started as root, else the user
// that started it.
Result<User> BrokerUser(const config::Settings& settings);

}  // namespace keybroker::broker
