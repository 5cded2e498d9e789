#pragma once

#include <cstddef>
#include <span>

namespace keybroker::module {

enum class ForeignText { kCopied, kUnreadable, kTooLong, kNoDescriptor };

// CopyForeignText copies the NUL-terminated text at a pointer that may point anywhere, without
// ever faulting. size is the text's length; the NUL is copied too. kTooLong when the NUL is not
// within copy.size() bytes.
ForeignText CopyForeignText(const void* pointer, std::span<char> copy, size_t* size);

}  // namespace keybroker::module
