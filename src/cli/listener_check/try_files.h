#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/reference_file.h"
#include "keybroker/base/result.h"
#include "keybroker/policy/listener.h"

namespace keybroker::cli {

// TriedFile is what became of one reference when it was used as a server uses it.
struct TriedFile {
  std::filesystem::path file;
  std::string user;  // that the trying process ran as
  bool good = false;
  std::string text;  // what is wrong, or what was seen to be good
};

// SigningUser is the listener's user that signs: root only loads the key, where anybody else is
// named.
std::string SigningUser(const policy::Listener& listener);

// TryFiles does what a server does with the files that `listener config` wrote to directory: a
// process that becomes the listener's user reads openssl.cnf, loads each target's reference and
// signs. It finds what a server's own log often hides. What root or that user do not have for
// themselves alone (ipc::CheckSafeFile) is not loaded, and the text says so. Empty when there is no
// openssl.cnf (GnuTLS has none).
std::vector<TriedFile> TryFiles(const std::filesystem::path& directory,
                                const policy::Listener& listener,
                                const std::vector<KeyTarget>& targets);

}  // namespace keybroker::cli
