#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "keybroker/cryptoki/key_type.h"
#include "keybroker/token/key_pair.h"
#include "keybroker/wire/catalogue.h"

namespace keybroker::tokenhost {

// ServedKey is what signing needs to know of one key.
struct ServedKey {
  CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;
  cryptoki::KeyType type = cryptoki::KeyType::kRsa;
  uint32_t bits = 0;
  bool always_authenticate = false;
  std::vector<CK_MECHANISM_TYPE> mechanisms;
};

// ServedKeys is one state of the token's keys: how to sign with them, and the catalogue as it goes
// on the wire. Immutable once built; shared by all threads.
class ServedKeys {
 public:
  ServedKeys();  // none read yet

  // Build takes what ListKeys gave. A certificate over wire::kMaxCertificate is left out, a key
  // whose fields do not fit the wire's limits too; skipped() says so, one sentence each.
  static ServedKeys Build(const token::KeyList& list);

  // Find gives the key, or nullptr.
  const ServedKey* Find(const wire::KeyRef& ref) const;

  // generation is a hash of the content, so that it changes when, and only when, that changes, and
  // is the same after a restart. Never 0.
  uint64_t generation() const { return generation_; }
  size_t size() const { return entries_.size(); }
  const std::vector<std::string>& skipped() const { return skipped_; }

  // WritePage writes the page that begins with entry first (0 when first is past the end), as many
  // entries as fit into body.
  void WritePage(uint32_t first, bool token_present, size_t room, wire::Writer& body) const;

 private:
  std::map<wire::KeyRef, ServedKey> keys_;
  std::vector<std::vector<uint8_t>> entries_;  // encoded wire::CatalogueEntry
  std::vector<std::string> skipped_;
  uint64_t generation_ = 0;
};

}  // namespace keybroker::tokenhost
