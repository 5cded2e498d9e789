#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace keybroker::audit {

// Event is one thing that happened. Text fields are escaped when written, so they may be hostile.
struct Event {
  std::string_view action;   // "sign", "refuse", "start", "reload", "key-generate", ...
  std::string_view subject;  // listener, or operator's user name
  uid_t uid = 0;
  pid_t pid = 0;
  std::string_view key;        // key name; empty: none
  std::string_view key_id;     // CKA_ID in hex; empty: none
  std::string_view mechanism;  // "CKM_ECDSA"; empty: none
  std::string_view decision;   // policy::ReasonName, or empty
  std::string_view result;     // "ok", or CK_RV name, or error code name
  uint64_t count = 1;          // more than 1: that many alike, summed
  std::string_view detail;     // anything else worth knowing; empty: none
};

}  // namespace keybroker::audit
