#pragma once

#include <string>

#include "cli/command.h"
#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"

namespace keybroker::cli {

// PinOptions says where a PIN, or a backup's password, comes from. Never from an argument or the
// environment, which others can read.
struct PinOptions {
  std::string file;          // --pin-file: first line of a 0600 file
  int fd = -1;               // --pin-fd: first line of an open descriptor
  std::string stem = "pin";  // the options are --STEM-file and --STEM-fd
  std::string word = "PIN";  // what messages call it

  bool Given() const { return !file.empty() || fd >= 0; }
};

// AddPinOptions adds --pin-file and --pin-fd, or with a prefix such as "so-" --so-pin-file.
void AddPinOptions(const Command& command, PinOptions& options, const std::string& prefix = "");

// AddPasswordOptions adds --password-file and --password-fd.
void AddPasswordOptions(const Command& command, PinOptions& options);

// AskPin takes the PIN from the options, else from the terminal without echo; twice when it is a
// new one. Denied when there is neither; it says which options would do.
Result<Secret> AskPin(const PinOptions& options, const std::string& prompt, bool is_new);

// Confirm has the operator type expected before something is destroyed, unless yes. Denied when it
// is not typed, or there is no terminal: --yes is needed then.
Status Confirm(const std::string& what, const std::string& expected, bool yes);

}  // namespace keybroker::cli
