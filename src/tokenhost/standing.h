#pragma once

#include <memory>
#include <string>

#include "keybroker/wire/token_admin.h"
#include "tokenhost/served_keys.h"
#include "tokenhost/session_pool.h"

namespace keybroker::tokenhost {

// Standing is how the tokenhost stands with its token at one moment. Immutable; a thread works on
// the one it took, whatever happens meanwhile.
struct Standing {
  wire::TokenState state = wire::TokenState::kStarting;
  std::string label;
  std::string serial;
  std::string model;
  std::string detail;    // what is wrong and what to do
  SessionSource source;  // where to open sessions; only in kReady
  // The keys last seen; kept while the token is away. Never null.
  std::shared_ptr<const ServedKeys> keys = std::make_shared<const ServedKeys>();

  bool ready() const { return state == wire::TokenState::kReady; }
};

using StandingPtr = std::shared_ptr<const Standing>;

}  // namespace keybroker::tokenhost
