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
  // Subject of the certificate that the token has under the key's CKA_ID and that is another key's,
  // so that it is left out; empty: there is none.
  std::string foreign_certificate;
};

// ForeignText says of it what it is, and what to do.
std::string ForeignText(const BackupSubject& subject);

// TokenInfoJson is what a manifest says of a token, out of its process.
Json TokenInfoJson(const token::TokenInfo& info);

// SubjectOf makes the subject of a key: KeyJson, with the certificate's "der" in hex if it has one,
// and the TokenInfoJson of the token that has it.
Result<BackupSubject> SubjectOf(const config::Settings& settings, const Json& key,
                                const Json& token);

// SubjectChoice is which keys are meant: names (of type, when given), or every exportable one.
struct SubjectChoice {
  std::vector<std::string> names;
  std::string type;
  std::string id;  // CKA_ID in hex, with one name; empty: the current keys
  bool all = false;
};

// BackupSubjects reads the token. A named key that is not exportable is Denied; of all, such keys
// are left out and named in left_out.
Result<std::vector<BackupSubject>> BackupSubjects(const config::Settings& settings,
                                                  const TokenAccess& access,
                                                  const SubjectChoice& choice,
                                                  std::vector<std::string>* left_out);

}  // namespace keybroker::cli
