#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/credential/certificate.h"

namespace keybroker::credential {

// ChainRules says what a chain must be good for.
struct ChainRules {
  std::string name;                  // key name the leaf must be for
  int64_t now = 0;                   // seconds since 1970
  std::vector<Certificate> anchors;  // roots that the operator gave, beside the system's
  bool system_anchors = true;        // /etc/ssl/certs counts too
  bool allow_incomplete = false;     // no root is known: the operator's word is enough
  std::string otherwise;             // what else he may do about an incomplete one, for the message
};

// CheckChain accepts certificates as a TLS server sends them: leaf first, each issued by the next
// (RFC 8446 section 4.4.2), ending at a root that is in the file, among the anchors, or in the
// system's store. Every certificate must be valid now and the leaf for the name. Gives the chain to
// send: without the root, which clients have. Malformed says which certificate is wrong and what to
// do: for another name, expired, not yet valid, out of order, or incomplete.
Result<std::vector<Certificate>> CheckChain(const std::vector<Certificate>& certificates,
                                            const ChainRules& rules);

}  // namespace keybroker::credential
