#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "keybroker/wire/catalogue.h"

namespace keybroker::test {

// FakeKey is a key that a fake tokenhost or broker shows. Public fields that are empty are filled
// with fillers.
struct FakeKey {
  std::string name;
  cryptoki::KeyType type = cryptoki::KeyType::kEc;
  uint32_t bits = 256;
  std::vector<uint8_t> id;
  std::vector<uint32_t> mechanisms;
  std::vector<uint8_t> certificate;
  std::vector<uint8_t> public_first;
  std::vector<uint8_t> public_second;

  wire::KeyRef ref() const;
};

// EcKey and RsaKey make keys with every mechanism of their type; serial makes id and ref unique.
FakeKey EcKey(const std::string& name, uint32_t serial);
FakeKey RsaKey(const std::string& name, uint32_t serial);

// FakeSignature is what a fake signs data with: size bytes that depend on data and key.
std::vector<uint8_t> FakeSignature(const wire::KeyRef& key, wire::Bytes data, size_t size);

// FakeCatalogue is what a fake answers CatalogueRequests from.
struct FakeCatalogue {
  std::vector<FakeKey> keys;
  uint64_t generation = 1;
  uint32_t page_size = 50;  // small, so that a few hundred keys make many pages
  bool token_present = true;

  void EncodePage(const wire::CatalogueRequest& request, wire::Writer& body) const;

  // SignatureSize is that of the key's signatures, 0 when there is no such key.
  size_t SignatureSize(const wire::KeyRef& key) const;
};

}  // namespace keybroker::test
