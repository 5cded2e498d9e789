#pragma once

#include "cli/command.h"

namespace keybroker::cli {

// Verbs of the noun listener; listener.cc puts them together.
void AddListenerAdd(const Command& noun);
void AddListenerBindings(const Command& noun);  // bind, unbind
void AddListenerViews(const Command& noun);     // list, show
void AddListenerRemove(const Command& noun);
void AddListenerConfig(const Command& noun);
void AddListenerCheck(const Command& noun);

}  // namespace keybroker::cli
