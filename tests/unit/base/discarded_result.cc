// Must not compile: the test says so (CMakeLists.txt).
#include "keybroker/base/result.h"

namespace keybroker {

Status Try();
Result<int> Count();

void Use() {
#ifdef KB_DISCARD
  Try();
  Count();
#else
  if (!Try() || !Count()) return;
#endif
}

}  // namespace keybroker
