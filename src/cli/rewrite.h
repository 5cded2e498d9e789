#pragma once

#include <string>
#include <vector>

#include "keybroker/config/settings.h"
#include "keybroker/cryptoki/key_type.h"
#include "keybroker/policy/listener.h"

namespace keybroker::cli {

// IsBound is whether a binding of the listener names the key of this type.
bool IsBound(const policy::Listener& listener, const std::string& key, cryptoki::KeyType type);

// RewriteCommand is the command that writes a listener's files of a key again, after the key's
// certificate or current generation changed: `listener config`, for the kind of server that the
// files in the directory they were last written to say (KIND where there are none), or
// `reference write` where that is what wrote the listener's reference.
std::string RewriteCommand(const config::Settings& settings, const policy::Listener& listener,
                           const std::string& key, cryptoki::KeyType type);

// RewriteCommands has one for each listener that is bound to the key; else the command that binds
// one.
std::vector<std::string> RewriteCommands(const config::Settings& settings, const std::string& key,
                                         cryptoki::KeyType type);

// NextRewrites is RewriteCommands as the "next:" lines of an answer, with what follows them.
std::string NextRewrites(const config::Settings& settings, const std::string& key,
                         cryptoki::KeyType type);

}  // namespace keybroker::cli
