#pragma once

#include <sys/types.h>

#include "broker/endpoint.h"
#include "keybroker/base/result.h"
#include "keybroker/base/unique_fd.h"
#include "keybroker/ipc/listening_socket.h"

namespace keybroker::broker {

// PrepareEndpoint makes endpoint's socket beside its place (ipc::PrepareSocket), in a directory
// that is or becomes safe from everybody but us and root (ipc::MakeSafeDirectory). Its path is the
// endpoint's without symbolic links outside of the jail.
Result<ipc::PreparedSocket> PrepareEndpoint(const Endpoint& endpoint, ipc::Replace replace,
                                            ipc::Listens listens);

// BindEndpoint also gives it its name, unless a live process listens there.
Result<UniqueFd> BindEndpoint(const Endpoint& endpoint);

}  // namespace keybroker::broker
