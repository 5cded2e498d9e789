#include "broker/catalogue.h"

#include <utility>

#include "keybroker/cryptoki/mechanism.h"

namespace keybroker::broker {
namespace {

std::vector<uint8_t> Copy(wire::Bytes bytes) { return {bytes.begin(), bytes.end()}; }

TokenKey Own(const wire::CatalogueEntry& entry) {
  TokenKey key;
  key.ref = entry.key;
  key.type = entry.type;
  key.bits = entry.bits;
  key.id = Copy(entry.id);
  key.name = entry.label;
  key.public_first = Copy(entry.public_first);
  key.public_second = Copy(entry.public_second);
  key.certificate = Copy(entry.certificate);
  for (size_t i = 0; i < entry.mechanism_count; ++i) {
    // What is not a signing mechanism of the closed list does not exist for the broker.
    const cryptoki::SignMechanism* known = cryptoki::FindSignMechanism(entry.mechanisms[i]);
    if (known != nullptr && known->key_type == key.type)
      key.mechanisms.push_back(entry.mechanisms[i]);
  }
  return key;
}

}  // namespace

Status AppendPage(wire::Bytes body, TokenCatalogue& catalogue, uint32_t& total) {
  auto reader = wire::CatalogueReader::Open(body);
  if (!reader) return Fail(Malformed("a catalogue page's head is malformed"));
  const wire::CataloguePage& page = reader->page();
  if (page.total > kMaxKeys) {
    return Fail(Malformed("a catalogue of " + std::to_string(page.total) + " keys is too large"));
  }
  if (catalogue.keys.empty()) {
    catalogue.generation = page.generation;
    catalogue.token_present = page.token_present;
    total = page.total;
  }
  if (page.generation != catalogue.generation || page.first != catalogue.keys.size() ||
      page.total != total) {
    return Fail(Malformed("a catalogue page is not the one that was asked for"));
  }
  while (const auto entry = reader->Next()) catalogue.keys.push_back(Own(*entry));
  if (!reader->ok()) return Fail(Malformed("a catalogue entry is malformed"));
  return {};
}

}  // namespace keybroker::broker
