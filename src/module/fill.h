#pragma once

#include <string.h>

#include <cstddef>
#include <span>
#include <string_view>

#include "keybroker/cryptoki/cryptoki.h"

namespace keybroker::module {

// FillText writes text into a fixed field of Cryptoki: cut to fit, padded with blanks, without a
// NUL (PKCS#11 v2.40 section 3.1).
template <size_t kSize>
void FillText(unsigned char (&field)[kSize], std::string_view text) {
  const size_t size = text.size() < kSize ? text.size() : kSize;
  memset(field, ' ', kSize);
  if (size != 0) memcpy(field, text.data(), size);
}

// FillList answers a call that gives a list (PKCS#11 v2.40 section 5.2): with a NULL list its
// count; CKR_BUFFER_TOO_SMALL and the count when the room does not do.
template <class T>
CK_RV FillList(std::span<const T> items, T* list, CK_ULONG* count) {
  const CK_ULONG room = *count;
  *count = items.size();
  if (list == nullptr) return CKR_OK;
  if (room < items.size()) return CKR_BUFFER_TOO_SMALL;
  if (!items.empty()) memcpy(list, items.data(), items.size_bytes());
  return CKR_OK;
}

}  // namespace keybroker::module
