#include "module/catalogue.h"

#include <stdlib.h>

#include <new>

#include "keybroker/cryptoki/mechanism.h"
#include "module/limits.h"

namespace keybroker::module {
namespace {

constexpr uint64_t kKindBits = 3;

uint64_t KeyBits(const wire::KeyRef& key) {
  wire::Reader reader(key);
  return reader.U64() & ~kKindBits;
}

}  // namespace

CK_OBJECT_HANDLE HandleOf(const wire::KeyRef& key, ObjectKind kind) {
  return KeyBits(key) | static_cast<uint64_t>(kind);
}

bool Key::Permits(CK_MECHANISM_TYPE mechanism) const {
  for (size_t i = 0; i < entry.mechanism_count; ++i) {
    if (entry.mechanisms[i] != mechanism) continue;
    // The closed list is held to here too, whatever a broker says.
    const cryptoki::SignMechanism* known = cryptoki::FindSignMechanism(mechanism);
    return known != nullptr && known->key_type == entry.type;
  }
  return false;
}

Catalogue* Catalogue::Make(const wire::CataloguePage& head) {
  void* memory = malloc(sizeof(Catalogue));
  if (memory == nullptr) return nullptr;
  auto* catalogue = new (memory) Catalogue(head.generation, head.total);
  if (catalogue->MakeIndex()) return catalogue;
  catalogue->LetGo();
  return nullptr;
}

bool Catalogue::MakeIndex() {
  uint64_t size = 8;
  while (size < uint64_t{2} * (total_ < kMaxKeys ? total_ : kMaxKeys)) size *= 2;
  index_ = static_cast<uint32_t*>(calloc(size, sizeof *index_));
  index_mask_ = size - 1;
  return index_ != nullptr;
}

// The place of key_bits in the index, or the free place where it would go. KeyRefs are hashes: no
// more mixing is needed.
uint32_t* Catalogue::IndexOf(uint64_t key_bits) const {
  uint64_t place = key_bits >> 2 & index_mask_;
  while (index_[place] != 0 && KeyBits(keys_[index_[place] - 1].entry.key) != key_bits) {
    place = (place + 1) & index_mask_;
  }
  return index_ + place;
}

Catalogue::Added Catalogue::Add(wire::Bytes page) {
  if (total_ > kMaxKeys || page.size() > kMaxCatalogueBytes - bytes_) return Added::kMalformed;
  auto* copy = static_cast<uint8_t*>(malloc(page.size() == 0 ? 1 : page.size()));
  if (copy == nullptr) return Added::kNoMemory;
  if (!page.empty()) memcpy(copy, page.data(), page.size());
  if (!pages_.Append(copy)) {
    free(copy);
    return Added::kNoMemory;
  }
  bytes_ += page.size();
  auto reader = wire::CatalogueReader::Open({copy, page.size()});
  if (!reader || reader->page().generation != generation_ || reader->page().total != total_ ||
      reader->page().first != received_) {
    return Added::kMalformed;
  }
  while (const auto entry = reader->Next()) {
    const Added added = AddEntry(*entry);
    if (added != Added::kMore) return added;
  }
  if (!reader->ok()) return Added::kMalformed;
  return received_ == total_ ? Added::kWhole : Added::kMore;
}

Catalogue::Added Catalogue::AddEntry(const wire::CatalogueEntry& entry) {
  ++received_;
  uint32_t* place = IndexOf(KeyBits(entry.key));
  if (*place != 0) return Added::kMore;  // the same key twice: one is enough
  Key key{entry, false, {}};
  if (!entry.certificate.empty()) {
    if (const auto fields = ReadCertificateFields(entry.certificate)) {
      key.has_certificate = true;
      key.certificate = *fields;
    }
  }
  if (!keys_.Append(key)) return Added::kNoMemory;
  *place = static_cast<uint32_t>(keys_.size());
  return Added::kMore;
}

Object Catalogue::Find(CK_OBJECT_HANDLE handle) const {
  const auto kind = static_cast<ObjectKind>(handle & kKindBits);
  if ((handle & kKindBits) == 0) return {};
  const uint32_t position = *IndexOf(handle & ~kKindBits);
  if (position == 0) return {};
  const Key& key = keys_[position - 1];
  if (kind == ObjectKind::kCertificate && !key.has_certificate) return {};
  return {&key, kind};
}

void Catalogue::LetGo() {
  if (holders_.fetch_sub(1) != 1) return;
  for (uint8_t* page : pages_.items()) free(page);
  free(index_);
  this->~Catalogue();
  free(this);
}

void CatalogueHold::Reset(Catalogue* catalogue) {
  if (catalogue_ != nullptr) catalogue_->LetGo();
  catalogue_ = catalogue;
}

}  // namespace keybroker::module
