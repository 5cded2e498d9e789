#include "cli/output_file.h"

#include <filesystem>

namespace keybroker::cli {

Status WriteOutput(const std::string& path, const std::string& bytes, const OutputRights& rights,
                   const std::string& what, Answer& answer) {
  if (path == "-") {
    answer.raw = bytes;
    return {};
  }
  // A rename would put a file in the place of /dev/stdout.
  std::error_code error;
  const auto there = std::filesystem::status(path, error);
  if (std::filesystem::exists(there) && !std::filesystem::is_regular_file(there)) {
    return Fail(
        Conflict(path + " is no regular file, and cannot be replaced; - is standard output"));
  }
  KB_TRY(WriteFileAtomically(path, bytes, rights.mode, Overwrite::kReplace, rights.owner));
  answer.text = "wrote " + what + " to " + path;
  answer.json["file"] = std::filesystem::absolute(path).string();
  return {};
}

}  // namespace keybroker::cli
