#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"
#include "keybroker/policy/listener.h"

namespace keybroker::cli {

// LoadListener reads a listener's file; NotFound says which there are.
Result<policy::Listener> LoadListener(const config::Settings& settings, const std::string& name);

// ListenerNames lists the files in listeners_dir, sorted; none when the directory is missing.
Result<std::vector<std::string>> ListenerNames(const config::Settings& settings);

// StoreListener writes the file after reading back what will stand in it. create refuses (Conflict)
// one that is there already.
Status StoreListener(const config::Settings& settings, const policy::Listener& listener,
                     bool create);

// SocketOf is where the listener's socket is.
std::filesystem::path SocketOf(const config::Settings& settings, const policy::Listener& listener);

// ParseMode reads an octal file mode such as "0660".
Result<mode_t> ParseMode(const std::string& text);

}  // namespace keybroker::cli
