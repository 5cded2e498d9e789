#include "support/fake_key.h"

#include <algorithm>

#include "keybroker/cryptoki/mechanism.h"

namespace keybroker::test {
namespace {

FakeKey NewKey(const std::string& name, cryptoki::KeyType type, uint32_t bits, uint32_t serial) {
  FakeKey key;
  key.name = name;
  key.type = type;
  key.bits = bits;
  for (int shift = 24; shift >= 0; shift -= 8) {
    key.id.push_back(static_cast<uint8_t>(serial >> shift));
  }
  for (const auto& mechanism : cryptoki::AllSignMechanisms()) {
    if (mechanism.key_type == type) key.mechanisms.push_back(static_cast<uint32_t>(mechanism.type));
  }
  return key;
}

void EncodeEntry(const FakeKey& key, wire::Writer& body) {
  static const std::vector<uint8_t> kFiller(32, 7);
  wire::CatalogueEntry entry{};
  entry.key = key.ref();
  entry.type = key.type;
  entry.bits = key.bits;
  entry.id = key.id;
  entry.label = key.name;
  entry.public_first = key.public_first.empty() ? kFiller : key.public_first;
  entry.public_second = key.public_second.empty() ? kFiller : key.public_second;
  entry.mechanism_count = static_cast<uint8_t>(key.mechanisms.size());
  std::copy(key.mechanisms.begin(), key.mechanisms.end(), entry.mechanisms.begin());
  entry.certificate = key.certificate;
  wire::Encode(entry, body);
}

}  // namespace

wire::KeyRef FakeKey::ref() const {
  wire::KeyRef ref{};
  for (size_t i = 0; i < ref.size(); ++i) ref[i] = id[i % id.size()];
  return ref;
}

FakeKey EcKey(const std::string& name, uint32_t serial) {
  return NewKey(name, cryptoki::KeyType::kEc, 256, serial);
}
FakeKey RsaKey(const std::string& name, uint32_t serial) {
  return NewKey(name, cryptoki::KeyType::kRsa, 2048, serial);
}

std::vector<uint8_t> FakeSignature(const wire::KeyRef& key, wire::Bytes data, size_t size) {
  std::vector<uint8_t> signature(size);
  for (size_t i = 0; i < size; ++i) {
    const uint8_t byte = data.empty() ? 0 : data[i % data.size()];
    signature[i] = static_cast<uint8_t>(byte ^ key[i % key.size()] ^ 0x5a);
  }
  return signature;
}

void FakeCatalogue::EncodePage(const wire::CatalogueRequest& request, wire::Writer& body) const {
  const auto total = static_cast<uint32_t>(keys.size());
  const bool same = request.generation == 0 || request.generation == generation;
  const uint32_t first = same ? std::min(request.first, total) : 0;
  const auto count = static_cast<uint16_t>(std::min(total - first, page_size));
  wire::Encode(wire::CataloguePage{generation, total, first, count, token_present}, body);
  for (uint32_t i = first; i < first + count; ++i) EncodeEntry(keys[i], body);
}

size_t FakeCatalogue::SignatureSize(const wire::KeyRef& ref) const {
  for (const FakeKey& key : keys) {
    if (key.ref() == ref) return cryptoki::SignatureSize(key.type, key.bits);
  }
  return 0;
}

}  // namespace keybroker::test
