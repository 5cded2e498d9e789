#include "cli/backup_recipients.h"

#include "cli/diagnosis.h"
#include "keybroker/backup/cms.h"
#include "keybroker/base/file.h"

namespace keybroker::cli {
namespace {

constexpr size_t kMaxCertificateFile = 65536;

std::string Setting(const config::Settings& settings) {
  return "recipients in [backup] of " + settings.file.string();
}

Result<RecoveryCertificate> Load(const std::filesystem::path& file, int64_t now) {
  // Who can write it chooses for whom this host's keys are wrapped.
  const std::string problem =
      ProblemWith({file, "", false, "put the certificate there, or correct the setting"});
  if (!problem.empty()) return Fail(Denied(problem));
  KB_ASSIGN(const std::string text, ReadFile(file, kMaxCertificateFile));
  KB_ASSIGN(auto all, credential::ParseCertificates(text));
  if (all.size() != 1) return Fail(Malformed("it holds more than one certificate"));
  KB_TRY(backup::CheckRecoveryCertificate(all.front(), now));
  KB_ASSIGN(auto name, backup::IssuerAndSerial(all.front()));
  return RecoveryCertificate{file, std::move(all.front()), std::move(name)};
}

}  // namespace

Result<std::vector<RecoveryCertificate>> LoadRecoveryCertificates(const config::Settings& settings,
                                                                  int64_t now) {
  if (settings.backup_recipients.empty()) {
    return Fail(
        Denied("no recovery certificate is configured, so nobody could open a CMS backup: "
               "name some as " +
               Setting(settings)));
  }
  std::vector<RecoveryCertificate> loaded;
  for (const auto& file : settings.backup_recipients) {
    auto one = Load(file, now);
    if (!one) {
      Error error = one.error();
      error.detail = "the recovery certificate " + file.string() + " (" + Setting(settings) +
                     ") cannot be used: " + error.detail + ". Nothing was made";
      return Fail(std::move(error));
    }
    loaded.push_back(std::move(*one));
  }
  return loaded;
}

}  // namespace keybroker::cli
