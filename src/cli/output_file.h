#pragma once

#include <string>

#include "cli/answer.h"
#include "keybroker/base/file.h"
#include "keybroker/base/result.h"

namespace keybroker::cli {

// OutputRights is what a written file is given.
struct OutputRights {
  mode_t mode = 0644;
  FileOwner owner;
};

// WriteOutput writes a command's product to a file, replacing it in one rename, or puts it into the
// answer for standard output when path is "-". what names it: "the request for mail.example.test".
// Fails Conflict where path is a device, a pipe or a directory.
Status WriteOutput(const std::string& path, const std::string& bytes, const OutputRights& rights,
                   const std::string& what, Answer& answer);

}  // namespace keybroker::cli
