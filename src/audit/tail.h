#pragma once

#include "audit/sha256.h"
#include "keybroker/audit/log.h"

namespace keybroker::audit {

// Tail is the end of a log file: the last record that is whole and right, and what follows it,
// which only a crash or a stranger leaves.
struct Tail {
  Head last;               // sequence 0: there is no record
  bool torn = false;       // something follows the last record
  bool ended = false;      // and it ends with a newline
  uint64_t torn_size = 0;  // its bytes, without that newline
  Hash torn_hash{};        // their SHA-256
  bool readable = true;    // false: no record within reach of the file's end
};

// ReadTail looks back from the end of an open log of size bytes.
Result<Tail> ReadTail(int fd, uint64_t size, Hasher& hasher);

}  // namespace keybroker::audit
