#include "keybroker/token/session.h"

namespace keybroker::token {

Attributes& Attributes::Add(CK_ATTRIBUTE_TYPE type, Bytes value) {
  values_.emplace_back(type, std::vector<uint8_t>(value.begin(), value.end()));
  return *this;
}

Attributes& Attributes::Add(CK_ATTRIBUTE_TYPE type, std::string_view text) {
  return Add(type, Bytes(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

Attributes& Attributes::AddBool(CK_ATTRIBUTE_TYPE type, bool value) {
  const CK_BBOOL byte = value ? CK_TRUE : CK_FALSE;
  return Add(type, Bytes(&byte, 1));
}

Attributes& Attributes::AddUlong(CK_ATTRIBUTE_TYPE type, CK_ULONG value) {
  return Add(type, Bytes(reinterpret_cast<const uint8_t*>(&value), sizeof value));
}

Attributes Attributes::Without(CK_ATTRIBUTE_TYPE type) const {
  Attributes rest = *this;
  std::erase_if(rest.values_, [type](const auto& each) { return each.first == type; });
  return rest;
}

std::vector<CK_ATTRIBUTE> Attributes::Template() const {
  std::vector<CK_ATTRIBUTE> list;
  list.reserve(values_.size());
  for (const auto& [type, value] : values_) {
    list.push_back({type, const_cast<uint8_t*>(value.data()), value.size()});
  }
  return list;
}

}  // namespace keybroker::token
