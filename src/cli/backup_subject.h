#pragma once

#include <string>
#include <vector>

#include "cli/answer.h"
#include "cli/key_choice.h"
#include "cli/token_access.h"
#include "keybroker/backup/backup_file.h"
#include "keybroker/config/settings.h"

namespace keybroker::cli {

// BackupSubject is a key to be backed up, and what goes into its file beside the wrapped key.
struct BackupSubject {
  backup::Manifest manifest;  // complete
  std::vector<credential::Certificate> chain;
};

// SubjectChoice is which keys are meant: names (of type, when given), or every exportable one.
struct SubjectChoice {
  std::vector<std::string> names;
  std::string type;
  bool all = false;
};

// BackupSubjects reads the token. A named key that is not exportable is Denied; of all, such keys
// are left out and named in left_out.
Result<std::vector<BackupSubject>> BackupSubjects(const config::Settings& settings,
                                                  const TokenAccess& access,
                                                  const SubjectChoice& choice,
                                                  std::vector<std::string>* left_out);

}  // namespace keybroker::cli
