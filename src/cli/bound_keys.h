#pragma once

#include <vector>

#include "cli/key_choice.h"
#include "cli/reference_file.h"
#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"
#include "keybroker/policy/listener.h"

namespace keybroker::cli {

// BoundKeys lists the current keys that the listener's bindings name, in the bindings' order, RSA
// before EC, each once. key and type narrow them when not empty. NotFound says what is missing:
// a binding, or the key of one.
Result<std::vector<KeyTarget>> BoundKeys(const config::Settings& settings,
                                         const policy::Listener& listener, const std::string& key,
                                         const std::string& type);

// KeyNames lists the names among them, each once, as "a, b".
std::string KeyNames(const std::vector<KeyTarget>& targets);

}  // namespace keybroker::cli
