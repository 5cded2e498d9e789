#include "module/session.h"

namespace keybroker::module {

void Session::EndSearch() {
  search.active = false;
  search.given = 0;
  search.found.Clear();
}

void Session::EndSign() {
  sign.mechanism = nullptr;
  sign.pss.reset();
  sign.in_parts = false;
  sign.gathered.Clear();
}

}  // namespace keybroker::module
