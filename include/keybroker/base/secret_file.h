#pragma once

#include <sys/types.h>

#include <cstddef>
#include <filesystem>

#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"

namespace keybroker {

// ReadSecretFile reads a PIN or password file: its first line without the newline. Refuses
// (Denied) a file that others than its owner can read or write, or that is neither ours nor root's.
Result<Secret> ReadSecretFile(const std::filesystem::path& path);

// SecretFile is a whole file that may hold a secret.
struct SecretFile {
  Secret content;
  mode_t mode = 0;  // its permission bits
};

// ReadWholeSecretFile reads a regular file of at most max_size bytes, whoever else may read it.
// Fails NotFound when it is absent, Malformed when it is larger or not a regular file.
Result<SecretFile> ReadWholeSecretFile(const std::filesystem::path& path, size_t max_size);

}  // namespace keybroker
