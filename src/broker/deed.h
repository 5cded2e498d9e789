#pragma once

#include <sys/socket.h>

#include <optional>

#include "broker/auditor.h"
#include "broker/view.h"
#include "keybroker/wire/sign.h"

namespace keybroker::broker {

// DeedOf is a request of sender at the listener that view belongs to; the view must outlive it.
Deed DeedOf(const View& view, const std::optional<ucred>& sender);

// Describe adds what was asked for; key is what view found, or null.
void Describe(Deed& deed, const wire::SignRequest& request, const ViewKey* key);

}  // namespace keybroker::broker
