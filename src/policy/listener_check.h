#pragma once

#include "keybroker/config/toml.h"
#include "keybroker/policy/listener.h"

namespace keybroker::policy {

// ReadBinding reads one [[binding]] table; what is wrong with it is left as a complaint in the
// file.
Binding ReadBinding(const config::TomlSection& section);

// ReadSocket reads where the listener's socket is and who may connect to it.
void ReadSocket(const config::TomlSection& section, Listener* listener);

}  // namespace keybroker::policy
