#pragma once

#include <string>

#include "cli/answer.h"
#include "keybroker/config/settings.h"
#include "keybroker/policy/listener.h"

namespace keybroker::cli {

// ListenerJson and ListenerText show one listener; ListenerTable an array of the former.
Json ListenerJson(const config::Settings& settings, const policy::Listener& listener);
std::string ListenerText(const config::Settings& settings, const policy::Listener& listener);
std::string ListenerTable(const Json& listeners);

}  // namespace keybroker::cli
