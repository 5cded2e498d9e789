#pragma once

#include <string>
#include <vector>

#include "cli/command.h"
#include "keybroker/base/result.h"
#include "keybroker/credential/certificate.h"

namespace keybroker::cli {

// One verb of the noun certificate each; certificate.cc puts them together.
void AddCertificateInstall(const Command& noun);
void AddCertificateShow(const Command& noun);

// ParseFile is credential::ParseCertificates with the file's name in the error.
Result<std::vector<credential::Certificate>> ParseFile(const std::string& text,
                                                       const std::string& file);

}  // namespace keybroker::cli
