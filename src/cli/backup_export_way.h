#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/backup_recipients.h"
#include "keybroker/backup/backup_file.h"
#include "keybroker/config/settings.h"
#include "keybroker/token/key_wrap.h"

namespace keybroker::cli {

// ExportWay is what the files of one command are made with.
struct ExportWay {
  backup::FileFormat format = backup::FileFormat::kPkcs12;
  std::optional<token::WrapAlgorithm> algorithm;  // none: the first that the token can
  Secret password;                                // kPkcs12
  std::vector<RecoveryCertificate> recipients;    // kCms
  std::string host_because;  // why content keys were made on the host; empty: they were not
};

// ParseEncryption reads "key-wrap" or "cbc"; nothing leaves the choice to the token.
Result<std::optional<token::WrapAlgorithm>> ParseEncryption(const std::string& text);

// ChooseFormat takes what is asked for, else the first that the administrator allows.
Result<backup::FileFormat> ChooseFormat(const config::Settings& settings, const std::string& text);

}  // namespace keybroker::cli
