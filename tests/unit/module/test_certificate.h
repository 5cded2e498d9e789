#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace keybroker::module {

using Der = std::vector<uint8_t>;

// Element is a DER element of those contents.
inline Der Element(uint8_t tag, std::initializer_list<Der> contents) {
  Der content;
  for (const Der& part : contents) content.insert(content.end(), part.begin(), part.end());
  Der element;
  element.reserve(content.size() + 4);
  element.push_back(tag);
  if (content.size() >= 0x80) {
    element.push_back(content.size() > 0xff ? 0x82 : 0x81);
    if (content.size() > 0xff) element.push_back(static_cast<uint8_t>(content.size() >> 8));
  }
  element.push_back(static_cast<uint8_t>(content.size()));
  for (const uint8_t byte : content) element.push_back(byte);
  return element;
}

inline Der Text(const std::string& text) { return {text.begin(), text.end()}; }

// TestName is a Name with one common name.
inline Der TestName(const std::string& common_name) {
  return Element(0x30, {Element(0x31, {Element(0x30, {Element(0x06, {{0x55, 4, 3}}),
                                                      Element(0x0c, {Text(common_name)})})})});
}

// TestCertificate has the shape of an X.509 certificate (RFC 5280 section 4.1) and no more of it
// than the module reads. Longer than 255 bytes.
inline Der TestCertificate(const std::string& common_name, uint8_t serial) {
  const Der algorithm = Element(0x30, {Element(0x06, {{0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2}})});
  const Der time = Element(0x17, {Text("300101000000Z")});
  const Der key = Element(0x30, {algorithm, Element(0x03, {Der(240, 0)})});
  return Element(0x30, {Element(0x30, {Element(0xa0, {Element(0x02, {{2}})}),
                                       Element(0x02, {{serial}}), algorithm, TestName("test CA"),
                                       Element(0x30, {time, time}), TestName(common_name), key}),
                        algorithm, Element(0x03, {Der(64, 0)})});
}

}  // namespace keybroker::module
