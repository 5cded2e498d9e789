#include "cli/output_file.h"

#include <filesystem>

namespace keybroker::cli {

Status WriteOutput(const std::string& path, const std::string& bytes, const OutputRights& rights,
                   const std::string& what, Answer& answer) {
  if (path == "-") {
    answer.raw = bytes;
    return {};
  }
  KB_TRY(WriteFileAtomically(path, bytes, rights.mode, Overwrite::kReplace, rights.owner));
  answer.text = "wrote " + what + " to " + path;
  answer.json["file"] = std::filesystem::absolute(path).string();
  return {};
}

}  // namespace keybroker::cli
