#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "keybroker/cryptoki/cryptoki.h"
#include "keybroker/wire/catalogue.h"
#include "module/array.h"
#include "module/certificate_fields.h"

namespace keybroker::module {

// ObjectKind is what an object handle names of a key: its low two bits.
enum class ObjectKind : uint8_t { kPrivateKey = 1, kPublicKey = 2, kCertificate = 3 };

// HandleOf derives an object's handle from the key alone, so that it outlives every restart of the
// broker: the first 62 bits of the KeyRef, and the kind. Never 0.
CK_OBJECT_HANDLE HandleOf(const wire::KeyRef& key, ObjectKind kind);

// Key is a catalogue entry and what can be read out of its certificate.
struct Key {
  wire::CatalogueEntry entry;
  bool has_certificate = false;
  CertificateFields certificate;

  bool Permits(CK_MECHANISM_TYPE mechanism) const;
};

// Object is one object of a Catalogue; key is nullptr when there is none.
struct Object {
  const Key* key = nullptr;
  ObjectKind kind = ObjectKind::kPrivateKey;
};

// Catalogue is one generation of what this listener is shown. It is built page by page, then never
// changed, and freed by the last who lets it go.
class Catalogue {
 public:
  // Make gives an empty one for pages of that generation, held once; nullptr: no memory.
  static Catalogue* Make(const wire::CataloguePage& head);

  enum class Added : uint8_t { kMore, kWhole, kMalformed, kNoMemory };

  // Add takes over the next page, a copy of which is kept. kMalformed is what is more
  // than kMaxKeys or kMaxCatalogueBytes, too.
  Added Add(wire::Bytes page);

  // Find gives the object of a handle.
  Object Find(CK_OBJECT_HANDLE handle) const;

  std::span<const Key> keys() const { return keys_.items(); }
  uint64_t generation() const { return generation_; }
  uint32_t total() const { return total_; }
  uint32_t received() const { return received_; }

  void Take() { holders_.fetch_add(1); }
  void LetGo();

 private:
  Catalogue(uint64_t generation, uint32_t total) : generation_(generation), total_(total) {}
  ~Catalogue() = default;
  Added AddEntry(const wire::CatalogueEntry& entry);
  bool MakeIndex();
  uint32_t* IndexOf(uint64_t key_bits) const;

  std::atomic<uint32_t> holders_{1};
  const uint64_t generation_;
  const uint32_t total_;
  uint32_t received_ = 0;
  size_t bytes_ = 0;  // in pages_
  Array<Key> keys_;
  Array<uint8_t*> pages_;
  uint32_t* index_ = nullptr;  // open addressing: position in keys_ plus one, 0: free
  uint64_t index_mask_ = 0;
};

// CatalogueHold keeps a catalogue for its own lifetime.
class CatalogueHold {
 public:
  CatalogueHold() = default;
  ~CatalogueHold() { Reset(); }
  CatalogueHold(const CatalogueHold&) = delete;
  CatalogueHold& operator=(const CatalogueHold&) = delete;

  // Reset lets go of what is held and takes over one hold of catalogue.
  void Reset(Catalogue* catalogue = nullptr);
  Catalogue* get() const { return catalogue_; }
  const Catalogue* operator->() const { return catalogue_; }
  explicit operator bool() const { return catalogue_ != nullptr; }

 private:
  Catalogue* catalogue_ = nullptr;
};

}  // namespace keybroker::module
