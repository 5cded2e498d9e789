#pragma once

#include <string>

#include "keybroker/backup/foreign_key.h"

namespace keybroker::backup::test {

inline token::Bytes BytesOf(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// OpenForeign is ReadKeyFile with the password as text; nullptr: none.
inline KeyFileResult<ForeignKey> OpenForeign(const std::string& file, const char* password,
                                             bool allow_weak) {
  if (password == nullptr) return ReadKeyFile(BytesOf(file), nullptr, allow_weak);
  const Secret secret = *Secret::CopyFrom(std::string_view(password));
  return ReadKeyFile(BytesOf(file), &secret, allow_weak);
}

}  // namespace keybroker::backup::test
