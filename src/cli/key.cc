#include "cli/commands.h"
#include "cli/key_commands.h"

namespace keybroker::cli {

void AddKey(const Command& root) {
  const Command noun = root.Noun("key", "keys on the token");
  AddKeyGenerate(noun);
  AddKeyImport(noun);
  AddKeyCopy(noun);
  AddKeyList(noun);
  AddKeyShow(noun);
  AddKeyCurrent(noun);
  AddKeyDelete(noun);
  AddKeySeal(noun);
}

}  // namespace keybroker::cli
