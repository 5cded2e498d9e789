#include "keybroker/backup/defect.h"

namespace keybroker::backup {

std::string_view DefectName(Defect defect) {
  switch (defect) {
    case Defect::kNotABackup:
      return "not-a-backup";
    case Defect::kTruncated:
      return "truncated";
    case Defect::kDamaged:
      return "damaged";
    case Defect::kNewerVersion:
      return "newer-version";
    case Defect::kOverCap:
      return "over-cap";
    case Defect::kPassword:
      return "wrong-password-or-damaged";
    case Defect::kNoRecipient:
      return "no-recipient-fits";
    case Defect::kSignature:
      return "signature-wrong";
  }
  return "damaged";
}

}  // namespace keybroker::backup
