#include "cli/certificate_commands.h"
#include "cli/commands.h"

namespace keybroker::cli {

Result<std::vector<credential::Certificate>> ParseFile(const std::string& text,
                                                       const std::string& file) {
  auto parsed = credential::ParseCertificates(text);
  if (!parsed) return Fail(Malformed(file + ": " + parsed.error().detail));
  return parsed;
}

void AddCertificate(const Command& root) {
  const Command noun = root.Noun("certificate", "certificates of keys");
  AddCertificateInstall(noun);
  AddCertificateShow(noun);
}

}  // namespace keybroker::cli
