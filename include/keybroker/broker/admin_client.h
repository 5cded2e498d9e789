#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"
#include "keybroker/wire/admin.h"

namespace keybroker::broker {

// AskBroker asks the running broker over settings.AdminSocket() and gives its JSON: for kStatus
// version, pid, uptime_seconds, listeners, tokens, keys, audit, warnings; for kReload the counts
// listeners, tokens, keys, and tokens_away and warnings; for kWhy granted, decision, rv,
// key_on_token, text. arguments are those of the verb, at most four of at most 255 bytes each.
// Unavailable when no broker answers, Denied when this user may not ask; otherwise the broker's own
// error, such as Malformed with every complaint about a configuration that it did not take.
Result<std::string> AskBroker(const config::Settings& settings, wire::AdminVerb verb,
                              std::initializer_list<std::string_view> arguments = {});

}  // namespace keybroker::broker
