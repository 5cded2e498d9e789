#pragma once

#include <string>

namespace keybroker::cli {

// OpenSslSays takes this thread's error queue: our engine's last error, or else OpenSSL's own
// words.
std::string OpenSslSays();

}  // namespace keybroker::cli
