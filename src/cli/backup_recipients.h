#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"
#include "keybroker/credential/certificate.h"

namespace keybroker::cli {

// RecoveryCertificate is one of `recipients` in [backup].
struct RecoveryCertificate {
  std::filesystem::path file;
  credential::Certificate certificate;
  std::vector<uint8_t> issuer_serial;  // DER, as a CMS file names it
};

// LoadRecoveryCertificates reads all of them: a backup is for each, or is not made. Denied when
// there is none, Malformed for one that is not good for it at now; both name the setting.
Result<std::vector<RecoveryCertificate>> LoadRecoveryCertificates(const config::Settings& settings,
                                                                  int64_t now);

}  // namespace keybroker::cli
