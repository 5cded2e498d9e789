#pragma once

#include <string_view>

namespace keybroker::ipc {

// kNotifyFd is the variable in which `keybroker run` gives its child the number of an inherited
// SOCK_SEQPACKET socket for Notify, which no other process can reach.
inline constexpr char kNotifyFd[] = "KEYBROKER_NOTIFY_FD";

// Notify tells the service manager a state such as "READY=1" (sd_notify(3)): one message to
// kNotifyFd, else to NOTIFY_SOCKET, nothing when neither is set. A manager that does not listen is
// not our failure.
void Notify(std::string_view state);

// NotifyReloading says "RELOADING=1" with the time stamp that Type=notify-reload wants.
void NotifyReloading();

}  // namespace keybroker::ipc
