#include "keybroker/wire/catalogue.h"

namespace keybroker::wire {
namespace {

std::optional<CatalogueEntry> DecodeEntry(Reader& body) {
  CatalogueEntry entry{};
  const Bytes key = body.Raw(kKeyRefSize);
  if (key.size() == kKeyRefSize) memcpy(entry.key.data(), key.data(), kKeyRefSize);
  const uint8_t type = body.U8();
  entry.type = static_cast<cryptoki::KeyType>(type);
  entry.bits = body.U32();
  entry.id = body.Var8(kMaxId);
  entry.label = AsText(body.Var8(kMaxName));
  entry.public_first = body.Var16(kMaxPublicField);
  entry.public_second = body.Var16(kMaxPublicField);
  entry.mechanism_count = body.U8();
  if (entry.mechanism_count > kMaxMechanisms) return std::nullopt;
  for (size_t i = 0; i < entry.mechanism_count; ++i) entry.mechanisms[i] = body.U32();
  entry.certificate = body.Var16(kMaxCertificate);
  const bool known = type == static_cast<uint8_t>(cryptoki::KeyType::kRsa) ||
                     type == static_cast<uint8_t>(cryptoki::KeyType::kEc);
  if (!body.ok() || !known || entry.id.empty() || entry.public_first.empty() ||
      entry.public_second.empty() || entry.bits == 0 || entry.bits > 8 * kMaxSignature) {
    return std::nullopt;
  }
  return entry;
}

}  // namespace

void Encode(const CatalogueRequest& message, Writer& body) {
  body.U64(message.generation);
  body.U32(message.first);
}

std::optional<CatalogueRequest> DecodeCatalogueRequest(Bytes bytes) {
  Reader body(bytes);
  CatalogueRequest message{};
  message.generation = body.U64();
  message.first = body.U32();
  if (!body.Done()) return std::nullopt;
  return message;
}

void Encode(const CatalogueEntry& entry, Writer& body) {
  body.Raw(entry.key);
  body.U8(static_cast<uint8_t>(entry.type));
  body.U32(entry.bits);
  body.Var8(entry.id);
  body.Var8(AsBytes(entry.label));
  body.Var16(entry.public_first);
  body.Var16(entry.public_second);
  body.U8(entry.mechanism_count);
  for (size_t i = 0; i < entry.mechanism_count && i < kMaxMechanisms; ++i) {
    body.U32(entry.mechanisms[i]);
  }
  body.Var16(entry.certificate);
}

void Encode(const CataloguePage& page, Writer& body) {
  body.U64(page.generation);
  body.U32(page.total);
  body.U32(page.first);
  body.U16(page.count);
  body.U8(page.token_present ? 1 : 0);
}

std::optional<CatalogueReader> CatalogueReader::Open(Bytes bytes) {
  Reader body(bytes);
  CataloguePage page{};
  page.generation = body.U64();
  page.total = body.U32();
  page.first = body.U32();
  page.count = body.U16();
  const uint8_t present = body.U8();
  page.token_present = present == 1;
  const bool in_range = page.first <= page.total && page.count <= page.total - page.first;
  const bool moves_on = page.count != 0 || page.first == page.total;
  if (!body.ok() || present > 1 || page.generation == 0 || !in_range || !moves_on) {
    return std::nullopt;
  }
  return CatalogueReader(page, body);
}

std::optional<CatalogueEntry> CatalogueReader::Next() {
  if (!ok_) return std::nullopt;
  if (taken_ == page_.count) {
    ok_ = reader_.Done();
    return std::nullopt;
  }
  auto entry = DecodeEntry(reader_);
  ++taken_;
  ok_ = entry.has_value();
  return entry;
}

}  // namespace keybroker::wire
