#pragma once

#include <string>

#include "cli/command.h"
#include "cli/pin.h"
#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"
#include "keybroker/config/settings.h"

namespace keybroker::cli {

// AskBackupPassword takes the password of backups that exist.
Result<Secret> AskBackupPassword(const PinOptions& options);

// NewBackupPassword takes that of backups to be made, twice from a terminal, and judges it by its
// length: at least settings.backup_password_length characters of well-formed UTF-8, of them 5
// different ones. generate makes one of 150 random bits instead and shows it once, on the terminal
// itself, for the safe.
Result<Secret> NewBackupPassword(const config::Settings& settings, const PinOptions& options,
                                 bool generate);

// CheckBackupPassword is that judgement; setting says where least comes from.
Status CheckBackupPassword(const Secret& password, size_t least, const std::string& setting);

}  // namespace keybroker::cli
