#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/drill_listener/child.h"
#include "cli/listener_side.h"
#include "cli/run_programs.h"
#include "keybroker/backup/backup_file.h"
#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"
#include "keybroker/config/settings.h"
#include "keybroker/token/config.h"

namespace keybroker::cli {

// DrillFiles are what a listener reads: OpenSSL's configuration, which names our engine and module,
// and the reference with the chain.
struct DrillFiles {
  std::filesystem::path openssl_cnf;
  std::filesystem::path reference;
};

// DrillStack is a broker and a tokenhost of a drill's own, with a configuration, sockets and state
// of their own in the scratch folder, for one key, one listener and this user alone. They are
// children of this process, and end with it.
class DrillStack {
 public:
  // Configure writes everything into folder. profiles_dir is the host's.
  static Result<DrillStack> Configure(const std::filesystem::path& folder,
                                      const std::filesystem::path& profiles_dir,
                                      const token::TokenConfig& token, const backup::Backup& backup,
                                      const ListenerSide& libraries);

  // Start runs both programs; the PIN goes over the tokenhost's socket, never into a file. When it
  // returns, the broker has the key.
  Status Start(const RunPrograms& programs, const Secret& pin);

  // Stop ends what was started: the first thing that did not end well is the error.
  Status Stop();

  const DrillFiles& files() const { return files_; }
  const std::vector<pid_t>& pids() const { return pids_; }

  // LastWords is what programs and listener said last, for the text of a failure.
  static std::string LastWords(const std::filesystem::path& folder);

  // LogTo has this process, and all that it starts, write standard output and error to a file
  // there.
  static Status LogTo(const std::filesystem::path& folder);

 private:
  DrillStack() = default;
  Status AwaitKey() const;

  config::Settings settings_;
  std::string key_id_;
  DrillFiles files_;
  std::vector<DrillChild> children_;  // the broker last: it is stopped first
  std::vector<pid_t> pids_;
};

}  // namespace keybroker::cli
