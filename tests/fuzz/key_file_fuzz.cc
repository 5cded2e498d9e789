// Whatever a key file holds, what is taken of it is a key of a kind that tokens get, and the search
// for a Key Manager's key stays within the bytes. Input: the file; its last byte says whether there
// is a password.
#include <cstdint>

#include "backup/foreign/key_manager.h"
#include "fuzz/require.h"
#include "keybroker/backup/foreign_key.h"

namespace {

using namespace keybroker::backup;
using keybroker::test::Require;

bool Within(keybroker::token::Bytes part, keybroker::token::Bytes whole) {
  return part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size();
}

void Check(const ForeignKey& found) {
  const bool rsa = found.type == keybroker::cryptoki::KeyType::kRsa;
  Require(rsa ? found.bits == 2048 || found.bits == 3072 || found.bits == 4096
              : found.bits == 256 || found.bits == 384 || found.bits == 521);
  Require(!found.pkcs8.empty() && !found.spki.empty());
  Require(found.chain.empty() || found.chain[0].spki == found.spki);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const keybroker::token::Bytes bytes(data, size);
  if (const auto parts = FindKeyManager(bytes); parts && *parts) {
    Require(Within((*parts)->ciphertext, bytes) && (*parts)->ciphertext.size() <= 16384);
  }
  const auto password = keybroker::Secret::CopyFrom("Backup1!");
  const bool with = size > 0 && (data[size - 1] & 1) != 0;
  const auto found = ReadKeyFile(bytes, with ? &*password : nullptr, false);
  if (found) Check(*found);
  return 0;
}
