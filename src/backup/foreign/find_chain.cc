#include "backup/foreign/find_chain.h"

#include <algorithm>
#include <utility>

#include "backup/issued_by.h"
#include "keybroker/backup/backup_file.h"

namespace keybroker::backup {
namespace {

using Certificates = std::vector<credential::Certificate>;

Certificates::const_iterator Leaf(const Certificates& all, const std::vector<uint8_t>& spki) {
  auto leaf = all.end();
  for (auto each = all.begin(); each != all.end(); ++each) {
    if (each->spki != spki) continue;
    if (leaf == all.end() || each->not_after > leaf->not_after) leaf = each;
  }
  return leaf;
}

}  // namespace

void FindChain(Certificates certificates, ForeignKey* found) {
  const size_t count = certificates.size();
  Certificates& chain = found->chain;
  auto next = Leaf(certificates, found->spki);
  while (next != certificates.end() && chain.size() < kMaxChain) {
    chain.push_back(*next);
    certificates.erase(next);
    if (chain.back().self_issued) break;
    next = std::find_if(certificates.begin(), certificates.end(),
                        [&](const auto& each) { return IssuedBy(chain.back(), each); });
  }
  const size_t left = count - chain.size();
  if (chain.size() > 1 && chain.back().self_issued) chain.pop_back();  // clients have the root
  if (count > 0 && chain.empty()) {
    found->notes.push_back("none of the " + std::to_string(count) +
                           " certificates in the file is for its key: none was taken");
  } else if (left > 0) {
    found->notes.push_back(
        "certificates in the file that are not of the key's chain, and were "
        "left out: " +
        std::to_string(left));
  }
}

}  // namespace keybroker::backup
