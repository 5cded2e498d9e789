#pragma once

#include <string>

#include "cli/backup_export_job.h"
#include "cli/token_access.h"
#include "keybroker/base/result.h"

namespace keybroker::cli {

// NotBorn is the error of an import that failed after the backup file was written. It looks at the
// token, where a crash may have left something, and removes what is of this key and is none. The
// file goes only when the token was seen to have nothing that could be its key; else the error says
// why the file was kept. What was not looked at is said to be so.
Error NotBorn(const TokenAccess& access, ExportJob& job, Error error);

// WithoutFile is the error, with what became of the job's file, which is taken away.
Error WithoutFile(ExportJob& job, Error error);

}  // namespace keybroker::cli
