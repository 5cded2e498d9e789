#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "keybroker/base/result.h"

namespace keybroker::backup {

// Defect is what is wrong with a backup file, as far as its format lets one tell. Its values are
// exit statuses of the commands that read backups; those of KeyFileDefect are left free.
enum class Defect {
  kNotABackup = 10,    // no PKCS#12 or CMS file, or one that keybroker did not write
  kTruncated = 11,     // it ends before its outermost element does
  kDamaged = 12,       // its structure is not the format's
  kNewerVersion = 13,  // of a format version that this program does not know
  kOverCap = 14,       // its key derivation would cost more than is allowed; nothing was derived
  kPassword = 15,      // the MAC does not fit: wrong password, or damaged; which, nobody can tell
  kNoRecipient = 19,   // the recovery key opens none of its content keys
  kSignature = 20,     // it was changed since its key signed it, or another key signed it
};

// DefectName is the defect's word in --json output, such as "truncated".
std::string_view DefectName(Defect defect);

// FileError is a defect and a sentence about it. The text comes partly from the file.
struct FileError {
  Defect defect = Defect::kDamaged;
  std::string detail;
};

template <typename T>
using FileResult = Result<T, FileError>;

// FailFile makes the failed FileResult.
inline tl::unexpected<FileError> FailFile(Defect defect, std::string detail) {
  return tl::unexpected<FileError>(FileError{defect, std::move(detail)});
}

}  // namespace keybroker::backup
