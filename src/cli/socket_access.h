#pragma once

#include <string>
#include <vector>

#include "keybroker/config/settings.h"
#include "keybroker/policy/listener.h"

namespace keybroker::cli {

// UsersShutOut lists those of the listener's users whom the rights of its socket keep from
// connecting (connect(2) on a Unix socket needs write permission): a server that loads its key as
// root and then becomes one of them works until it has to connect again.
std::vector<std::string> UsersShutOut(const config::Settings& settings,
                                      const policy::Listener& listener);

// ShutOutText is a sentence about them and what to do; empty when there are none.
std::string ShutOutText(const config::Settings& settings, const policy::Listener& listener);

}  // namespace keybroker::cli
