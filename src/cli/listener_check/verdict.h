#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/reference_file.h"
#include "keybroker/credential/certificate.h"

namespace keybroker::cli {

// Verdict is what is said of one handshake: a word of a closed set for --json, and a sentence.
struct Verdict {
  bool good = false;
  std::string word;  // "ok", or what is wrong
  std::string text;  // empty when all is well
};

// Expected is what a listener's server ought to show for one of its keys.
struct Expected {
  KeyTarget target;
  std::vector<credential::Certificate> installed;  // its chain; empty: none was installed
  std::string rewrite;                             // command that writes its files again
  std::string name;                                // server name that was asked for
  int64_t now = 0;                                 // seconds since 1970
  std::vector<credential::Certificate> anchors;    // roots that the operator gave

  // find_key says whose key an id is, when it is not the target's: a generation of the target that
  // is no longer current, or another key that keybroker knows.
  std::function<std::optional<KeyTarget>(const std::string& id_hex)> find_key;
};

// Judge compares what a server sent, leaf first, with what it ought to: first the key, then the
// certificate, its time and name, then the chain. The words, beside "ok": other-generation,
// other-key, expired, not-yet-valid, other-certificate, wrong-name, chain-incomplete.
Verdict Judge(const Expected& expected, const std::vector<credential::Certificate>& served);

}  // namespace keybroker::cli
