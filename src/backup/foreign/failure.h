#pragma once

#include <string>
#include <utility>

#include "keybroker/backup/foreign_key.h"

namespace keybroker::backup {

// FailKeyFile makes the failed KeyFileResult.
inline tl::unexpected<KeyFileError> FailKeyFile(KeyFileDefect defect, std::string detail) {
  return tl::unexpected<KeyFileError>(KeyFileError{defect, std::move(detail)});
}

// WrongPassword is for whatever did not come out right after a decryption.
inline tl::unexpected<KeyFileError> WrongPassword() {
  return FailKeyFile(KeyFileDefect::kPassword,
                     "the password is wrong, or the file is damaged; its format cannot tell which");
}

inline tl::unexpected<KeyFileError> PasswordWanted() {
  return FailKeyFile(KeyFileDefect::kPasswordWanted, "the key in it is encrypted");
}

}  // namespace keybroker::backup
