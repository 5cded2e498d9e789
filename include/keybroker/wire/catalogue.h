#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "keybroker/cryptoki/key_type.h"
#include "keybroker/wire/buffer.h"
#include "keybroker/wire/frame.h"

namespace keybroker::wire {

// KeyRef names a key on the wire: SHA-256 of its DER SubjectPublicKeyInfo, 32 bytes. Derived from
// the key alone, so that it survives every restart.
using KeyRef = std::array<uint8_t, kKeyRefSize>;

// CatalogueRequest asks for a page. Body, 12 bytes: generation u64 (0: whichever is current),
// index u32 of the first entry wanted. When the generation is no longer current the answer is a
// page of the current one from index 0.
struct CatalogueRequest {
  uint64_t generation;
  uint32_t first;
};
void Encode(const CatalogueRequest& message, Writer& body);
std::optional<CatalogueRequest> DecodeCatalogueRequest(Bytes body);

// CatalogueEntry is one key pair and its certificate, as the asker may see it. Layout: key ref 32
// bytes, key type u8, bits u32, CKA_ID var8 (1 to 64), label var8 (UTF-8; empty for a generation
// that is not current: it is found by id), first public field var16 and second var16, mechanisms
// u8 count and u32 each, certificate var16 (DER, empty: none).
// Public fields: CKA_MODULUS and CKA_PUBLIC_EXPONENT (big-endian) for RSA; CKA_EC_PARAMS (DER OID)
// and CKA_EC_POINT (DER OCTET STRING) for EC. Views point into the page.
struct CatalogueEntry {
  KeyRef key;
  cryptoki::KeyType type;
  uint32_t bits;
  Bytes id;
  std::string_view label;
  Bytes public_first;
  Bytes public_second;
  uint8_t mechanism_count;
  std::array<uint32_t, kMaxMechanisms> mechanisms;
  Bytes certificate;
};
void Encode(const CatalogueEntry& entry, Writer& body);

// CataloguePage is the head of a page; count entries follow. Body: generation u64, total u32,
// first u32, count u16, token present u8, then the entries. A page holds as many as fit, at least
// one when any are left.
struct CataloguePage {
  uint64_t generation;
  uint32_t total;
  uint32_t first;
  uint16_t count;
  bool token_present;
};
inline constexpr size_t kCataloguePageHead = 19;
void Encode(const CataloguePage& page, Writer& body);

// CatalogueReader walks a page: head first, then Next until it gives nothing. Well-formed is what
// ok() says after the last Next; a count that does not match the entries is malformed.
class CatalogueReader {
 public:
  // Open reads the head. Nothing when it is malformed.
  static std::optional<CatalogueReader> Open(Bytes body);

  const CataloguePage& page() const { return page_; }
  std::optional<CatalogueEntry> Next();
  bool ok() const { return ok_; }

 private:
  CatalogueReader(const CataloguePage& page, Reader reader) : page_(page), reader_(reader) {}

  CataloguePage page_;
  Reader reader_;
  uint16_t taken_ = 0;
  bool ok_ = true;
};

}  // namespace keybroker::wire
