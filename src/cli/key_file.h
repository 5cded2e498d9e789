#pragma once

#include <string>
#include <vector>

#include "cli/arriving_key.h"
#include "keybroker/backup/foreign_key.h"
#include "keybroker/base/secret.h"
#include "keybroker/token/key_wrap.h"

namespace keybroker::cli {

// KeyFile is what a key file of another program gave, its key wrapped already.
struct KeyFile {
  std::string format;      // "pkcs12"
  std::string protection;  // empty: the key was not encrypted
  uint32_t bits = 0;
  ArrivingKey key;  // without a name
  std::vector<token::WrappedKey> forms;
  std::vector<std::string> notes;
};

// KeyFileRequest is what is to be read, and how. The file's bytes are a Secret: its key may be in
// the clear.
struct KeyFileRequest {
  const Secret& bytes;
  const Secret* password;  // nullptr: none is known
  const Secret& kek;       // what the key is wrapped under
  bool allow_weak;
};

// OpenKeyFile reads a file in a process of its own, which has given up root and becomes nobody, has
// its memory locked, and ends with the key: this process never sees it in the clear. The outer
// Result is about the process, the inner one about the file.
Result<backup::KeyFileResult<KeyFile>> OpenKeyFile(const KeyFileRequest& request);

}  // namespace keybroker::cli
