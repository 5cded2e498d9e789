#pragma once

#include "cli/command.h"

namespace keybroker::cli {

// One verb of the noun token each; token.cc puts them together.
void AddTokenAdd(const Command& noun);
void AddTokenInit(const Command& noun);
void AddTokenList(const Command& noun);
void AddTokenProbe(const Command& noun);
void AddTokenTidy(const Command& noun);
void AddTokenUnlock(const Command& noun);
void AddTokenChangePin(const Command& noun);

}  // namespace keybroker::cli
