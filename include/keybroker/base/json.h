#pragma once

#include <stdexcept>

namespace keybroker {

// RequireJson throws std::logic_error unless there is what is read of a JSON value.
inline void RequireJson(bool there) {
  if (!there) throw std::logic_error("JSON lacks what is read of it");
}

}  // namespace keybroker

// nlohmann::json checks with JSON_ASSERT that a member is there which a const operator[] names, and
// by default not at all in a release build. Much of our JSON comes from other processes: an
// exception ends one command, a wild read might not. Every source includes the library by this
// header.
#define JSON_ASSERT(x) ::keybroker::RequireJson(static_cast<bool>(x))
#include <nlohmann/json.hpp>
