#pragma once

#include <string_view>

namespace keybroker::tokenhost {

// NotifyServiceManager sends a state such as "READY=1" to $NOTIFY_SOCKET as sd_notify(3) does; does
// nothing when there is none.
void NotifyServiceManager(std::string_view state);

}  // namespace keybroker::tokenhost
