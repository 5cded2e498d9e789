#include "keybroker/backup/foreign_key.h"

namespace keybroker::backup {

std::string_view KeyFileFormatName(KeyFileFormat format) {
  switch (format) {
    case KeyFileFormat::kPkcs8:
      return "pkcs8";
    case KeyFileFormat::kTraditional:
      return "traditional";
    case KeyFileFormat::kPkcs12:
      return "pkcs12";
    case KeyFileFormat::kKeyManager:
      return "key-manager";
  }
  return "pkcs8";
}

std::string_view KeyFileDefectName(KeyFileDefect defect) {
  switch (defect) {
    case KeyFileDefect::kNotAKeyFile:
      return "not-a-key-file";
    case KeyFileDefect::kTruncated:
      return "truncated";
    case KeyFileDefect::kDamaged:
      return "damaged";
    case KeyFileDefect::kOverCap:
      return "over-cap";
    case KeyFileDefect::kPassword:
      return "wrong-password-or-damaged";
    case KeyFileDefect::kUnsupported:
      return "unsupported";
    case KeyFileDefect::kWeak:
      return "weak-key";
    case KeyFileDefect::kPasswordWanted:
      return "password-wanted";
  }
  return "damaged";
}

}  // namespace keybroker::backup
