#include "cli/backup_export_way.h"

#include <algorithm>

#include "cli/answer.h"

namespace keybroker::cli {

Result<std::optional<token::WrapAlgorithm>> ParseEncryption(const std::string& text) {
  if (text.empty()) return std::optional<token::WrapAlgorithm>();
  if (text == "key-wrap") return std::optional(token::WrapAlgorithm::kAesKeyWrapPad);
  if (text == "cbc") return std::optional(token::WrapAlgorithm::kAesCbcPad);
  return Fail(WrongUsage("\"" + text + "\" is not an encryption: key-wrap or cbc"));
}

Result<backup::FileFormat> ChooseFormat(const config::Settings& settings, const std::string& text) {
  const auto& allowed = settings.backup_formats;
  const std::string format = text.empty() ? allowed.front() : text;
  if (format != "pkcs12" && format != "cms") {
    return Fail(WrongUsage("\"" + format + "\" is not a format: pkcs12 or cms"));
  }
  if (std::find(allowed.begin(), allowed.end(), format) == allowed.end()) {
    return Fail(Denied("the administrator does not allow backups of the format " + format +
                       ": formats in [backup] of " + settings.file.string() + " would"));
  }
  return format == "cms" ? backup::FileFormat::kCms : backup::FileFormat::kPkcs12;
}

}  // namespace keybroker::cli
