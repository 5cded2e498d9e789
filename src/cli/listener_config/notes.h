#pragma once

#include <string>
#include <vector>

#include "cli/listener_config/files.h"
#include "keybroker/policy/listener.h"

namespace keybroker::cli {

// ConfigNotes says what would keep the server from using the listener although the files are right:
// a user or a jail that the listener lacks, a certificate or a library that is not there, a key
// that the server cannot serve beside the other.
std::vector<std::string> ConfigNotes(const ConfigFacts& facts, const policy::Listener& listener);

}  // namespace keybroker::cli
