#pragma once

#include "cli/command.h"

namespace keybroker::cli {

// One verb of the noun key each; key.cc puts them together.
void AddKeyGenerate(const Command& noun);
void AddKeyImport(const Command& noun);
void AddKeyCopy(const Command& noun);
void AddKeyList(const Command& noun);
void AddKeyShow(const Command& noun);
void AddKeyCurrent(const Command& noun);
void AddKeyDelete(const Command& noun);
void AddKeySeal(const Command& noun);

}  // namespace keybroker::cli
