#include "cli/commands.h"
#include "cli/listener_commands.h"

namespace keybroker::cli {

void AddListener(const Command& root) {
  const Command noun = root.Noun("listener", "the services that may sign, and with which keys");
  AddListenerAdd(noun);
  AddListenerBindings(noun);
  AddListenerViews(noun);
  AddListenerRemove(noun);
  AddListenerConfig(noun);
  AddListenerCheck(noun);
}

}  // namespace keybroker::cli
