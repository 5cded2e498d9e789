#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/run_child.h"
#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"

namespace keybroker::cli {

// RunPrograms is where the two programs are, and how they are called.
class RunPrograms {
 public:
  // Find looks in directory, or when that is empty beside this program, in ../libexec/keybroker
  // from there, and in /usr/libexec/keybroker. NotFound says where it looked.
  static Result<RunPrograms> Find(const std::filesystem::path& directory);

  const std::filesystem::path& directory() const { return directory_; }

  RunCommand Broker(const config::Settings& settings) const;
  RunCommand Tokenhost(const config::Settings& settings, const std::string& token) const;

 private:
  explicit RunPrograms(std::filesystem::path directory) : directory_(std::move(directory)) {}
  std::filesystem::path directory_;
};

// RunTokenNames lists the stems of *.toml in tokens_dir, sorted. Malformed: a name that is none.
Result<std::vector<std::string>> RunTokenNames(const config::Settings& settings);

// RunChecks has each program check its configuration, one after another; true when all accept it.
bool RunChecks(const RunPrograms& programs, const config::Settings& settings,
               const std::vector<std::string>& tokens);

}  // namespace keybroker::cli
