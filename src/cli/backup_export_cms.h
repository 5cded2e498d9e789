#pragma once

#include <string>
#include <vector>

#include "cli/backup_export_job.h"
#include "cli/backup_recipients.h"
#include "cli/token_access.h"

namespace keybroker::cli {

// WrapToCertificates wraps the batch's keys to the recovery certificates and has each key sign its
// own file, in one process of the token's. host_because gets the reason where the content keys had
// to be made on the host. A job that fails says so in done.
Status WrapToCertificates(const TokenAccess& access, const ExportBatch& batch,
                          const std::vector<RecoveryCertificate>& recipients,
                          std::optional<token::WrapAlgorithm> algorithm, std::string* host_because);

}  // namespace keybroker::cli
