#pragma once

#include <string_view>

namespace keybroker::ipc {

// Notify tells the service manager a state such as "READY=1" (sd_notify(3)): one datagram to
// NOTIFY_SOCKET, nothing when that is not set. A manager that does not listen is not our failure.
void Notify(std::string_view state);

// NotifyReloading says "RELOADING=1" with the time stamp that Type=notify-reload wants.
void NotifyReloading();

}  // namespace keybroker::ipc
