#include "tokenhost/served_keys.h"

#include <openssl/evp.h>

#include <utility>

#include "keybroker/base/hex.h"
#include "keybroker/base/utf8.h"
#include "keybroker/wire/frame.h"

namespace keybroker::tokenhost {
namespace {

// Named says which key a sentence is about.
std::string Named(const token::KeyPair& key) {
  return "the " + std::string(cryptoki::KeyTypeName(key.type)) + " key \"" + key.label + "\" (id " +
         Hex(key.id) + ")";
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t size = Utf8Sequence(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

// Unfit is why a key cannot go on the wire, or empty.
std::string Unfit(const token::KeyPair& key) {
  if (key.id.empty() || key.id.size() > wire::kMaxId) return "its CKA_ID has no usable length";
  if (key.label.size() > wire::kMaxName) return "its CKA_LABEL is too long";
  if (!IsUtf8(key.label)) return "its CKA_LABEL is not UTF-8";
  if (key.public_first.empty() || key.public_first.size() > wire::kMaxPublicField ||
      key.public_second.empty() || key.public_second.size() > wire::kMaxPublicField) {
    return "its public key has no usable length";
  }
  if (key.bits == 0 || key.bits > 8 * wire::kMaxSignature) return "its size is out of range";
  if (key.mechanisms.empty()) return "the token offers no signing mechanism for it";
  if (key.mechanisms.size() > wire::kMaxMechanisms) return "it has too many mechanisms";
  return "";
}

std::vector<uint8_t> EncodeEntry(const token::KeyPair& key, bool with_certificate) {
  wire::CatalogueEntry entry{};
  entry.key = key.spki_sha256;
  entry.type = key.type;
  entry.bits = key.bits;
  entry.id = key.id;
  entry.label = key.label;
  entry.public_first = key.public_first;
  entry.public_second = key.public_second;
  entry.mechanism_count = static_cast<uint8_t>(key.mechanisms.size());
  for (size_t i = 0; i < key.mechanisms.size(); ++i) {
    entry.mechanisms[i] = static_cast<uint32_t>(key.mechanisms[i]);
  }
  if (with_certificate) entry.certificate = key.certificate;
  std::vector<uint8_t> buffer(wire::kMaxCertificate + 2 * wire::kMaxPublicField + 1024);
  wire::Writer writer(buffer);
  Encode(entry, writer);
  buffer.resize(writer.size());
  return buffer;
}

// Keys that were never read have another generation than a token without keys.
enum class Seen : uint8_t { kNever, kRead };

uint64_t HashOf(Seen seen, const std::vector<std::vector<uint8_t>>& entries) {
  std::vector<uint8_t> all{static_cast<uint8_t>(seen)};
  for (const auto& entry : entries) all.insert(all.end(), entry.begin(), entry.end());
  std::array<uint8_t, 32> digest{};
  EVP_Digest(all.data(), all.size(), digest.data(), nullptr, EVP_sha256(), nullptr);
  uint64_t value = 0;
  for (size_t i = 0; i < sizeof value; ++i) value = value << 8 | digest[i];
  return value == 0 ? 1 : value;
}

}  // namespace

ServedKeys::ServedKeys() : generation_(HashOf(Seen::kNever, {})) {}

ServedKeys ServedKeys::Build(const token::KeyList& list) {
  ServedKeys served;
  served.skipped_ = list.skipped;
  for (const token::KeyPair& key : list.keys) {
    if (const std::string unfit = Unfit(key); !unfit.empty()) {
      served.skipped_.push_back(Named(key) + " is not served: " + unfit);
      continue;
    }
    const bool certificate_fits = key.certificate.size() <= wire::kMaxCertificate;
    if (!certificate_fits) {
      served.skipped_.push_back("the certificate of " + Named(key) + " is not shown: it has " +
                                std::to_string(key.certificate.size()) + " bytes, more than " +
                                std::to_string(wire::kMaxCertificate));
    }
    const auto [at, inserted] = served.keys_.emplace(
        key.spki_sha256,
        ServedKey{key.private_key, key.type, key.bits, key.always_authenticate, key.mechanisms});
    if (!inserted) {
      served.skipped_.push_back(Named(key) + " is on the token twice; one of them is served");
      continue;
    }
    served.entries_.push_back(EncodeEntry(key, certificate_fits));
  }
  served.generation_ = HashOf(Seen::kRead, served.entries_);
  return served;
}

const ServedKey* ServedKeys::Find(const wire::KeyRef& ref) const {
  const auto at = keys_.find(ref);
  return at == keys_.end() ? nullptr : &at->second;
}

void ServedKeys::WritePage(uint32_t first, bool token_present, size_t room,
                           wire::Writer& body) const {
  const auto total = static_cast<uint32_t>(entries_.size());
  if (first > total) first = 0;
  size_t used = wire::kCataloguePageHead;
  uint16_t count = 0;
  while (first + count < total && count < UINT16_MAX &&
         used + entries_[first + count].size() <= room) {
    used += entries_[first + count].size();
    ++count;
  }
  Encode(wire::CataloguePage{generation_, total, first, count, token_present}, body);
  for (uint32_t i = 0; i < count; ++i) body.Raw(entries_[first + i]);
}

}  // namespace keybroker::tokenhost
