// Whatever a backup file holds, what is accepted of it without the password keeps the format's
// limits, so that nothing dear is derived later. Input: the file.
#include <cstdint>
#include <string_view>

#include "fuzz/require.h"
#include "keybroker/backup/backup_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace keybroker::backup;
  using keybroker::test::Require;
  const auto backup = ReadBackup({reinterpret_cast<const char*>(bytes), size});
  if (!backup) return 0;
  Require(*keybroker::token::SubjectKeyId(backup->manifest.spki) == backup->manifest.id);
  Require(backup->chain.size() <= kMaxChain);
  Require(backup->key.bytes.size() >= 16 && backup->key.bytes.size() % 8 == 0);
  if (backup->format == FileFormat::kCms) {
    Require(!backup->recipients.empty() && backup->recipients.size() <= kMaxRecipients);
    return 0;
  }
  Require(backup->kdf.iterations >= 1 && backup->kdf.iterations <= kMaxIterations);
  Require(backup->kdf.salt.size() >= 8 && backup->kdf.salt.size() <= kMaxSalt);
  Require(backup->mac_iterations >= 1 && backup->mac_iterations <= kMaxMacIterations);
  Require(backup->chain.empty() || backup->chain[0].spki == backup->manifest.spki);
  return 0;
}
