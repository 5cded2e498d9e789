#include "cli/commands.h"
#include "cli/token_commands.h"

namespace keybroker::cli {

void AddToken(const Command& root) {
  const Command noun = root.Noun("token", "PKCS#11 tokens and their PINs");
  AddTokenAdd(noun);
  AddTokenInit(noun);
  AddTokenList(noun);
  AddTokenProbe(noun);
  AddTokenTidy(noun);
  AddTokenUnlock(noun);
  AddTokenChangePin(noun);
}

}  // namespace keybroker::cli
