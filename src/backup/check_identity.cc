#include "backup/check_identity.h"

#include <string>

#include "backup/issued_by.h"
#include "backup/openssl.h"

namespace keybroker::backup {
namespace {

// IsOf tells whether the manifest's type and size are those of its public key.
bool IsOf(const Manifest& manifest) {
  const uint8_t* at = manifest.spki.data();
  const EvpKey key(d2i_PUBKEY(nullptr, &at, static_cast<long>(manifest.spki.size())));
  const int wanted = manifest.type == cryptoki::KeyType::kRsa ? EVP_PKEY_RSA : EVP_PKEY_EC;
  return key != nullptr && EVP_PKEY_get_base_id(key.get()) == wanted &&
         EVP_PKEY_get_bits(key.get()) == static_cast<int>(manifest.bits);
}

}  // namespace

tl::unexpected<FileError> OddFile(const std::string& what) {
  return FailFile(Defect::kDamaged,
                  what + ": the file is damaged, or was not written by keybroker");
}

FileResult<void> CheckIdentity(const Backup& backup) {
  // It would only cost the token's time.
  if (backup.key.bytes.size() > kMaxWrappedKey) {
    return FailFile(Defect::kOverCap, "its encrypted key is longer than any key is");
  }
  const auto id = token::SubjectKeyId(backup.manifest.spki);
  if (!id || *id != backup.manifest.id) return OddFile("its CKA_ID is not that of its public key");
  if (!IsOf(backup.manifest)) return OddFile("its key type or size is not that of its public key");
  const auto& chain = backup.chain;
  if (!chain.empty() && chain[0].spki != backup.manifest.spki) {
    return OddFile("its certificate is another key's");
  }
  for (size_t i = 0; i + 1 < chain.size(); ++i) {
    if (!IssuedBy(chain[i], chain[i + 1])) {
      return OddFile("certificate " + std::to_string(i + 1) + " is not issued by the next");
    }
  }
  return {};
}

}  // namespace keybroker::backup
