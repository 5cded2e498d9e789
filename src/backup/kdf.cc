#include <openssl/evp.h>
#include <openssl/rand.h>

#include "keybroker/backup/backup_file.h"
#include "keybroker/base/hex.h"

namespace keybroker::backup {

Result<Kdf> NewKdf(uint32_t iterations) {
  if (iterations < kMinIterations || iterations > kMaxIterations) {
    return Fail(Malformed("PBKDF2 iterations are " + std::to_string(kMinIterations) + " to " +
                          std::to_string(kMaxIterations)));
  }
  Kdf kdf{std::vector<uint8_t>(kSaltSize), iterations};
  if (RAND_bytes(kdf.salt.data(), static_cast<int>(kdf.salt.size())) != 1) {
    return Fail(Internal("no random bytes"));
  }
  return kdf;
}

Result<Secret> DeriveKek(const Secret& password, const Kdf& kdf) {
  KB_ASSIGN(Secret kek, Secret::Allocate(token::kKekSize));
  const auto bytes = password.Expose();
  if (PKCS5_PBKDF2_HMAC(reinterpret_cast<const char*>(bytes.data()), static_cast<int>(bytes.size()),
                        kdf.salt.data(), static_cast<int>(kdf.salt.size()),
                        static_cast<int>(kdf.iterations), EVP_sha256(),
                        static_cast<int>(token::kKekSize), kek.Buffer().data()) != 1) {
    return Fail(Internal("PBKDF2 failed"));
  }
  kek.SetSize(token::kKekSize);
  return kek;
}

std::string FileSha256(std::string_view bytes) {
  uint8_t digest[32];
  if (EVP_Digest(bytes.data(), bytes.size(), digest, nullptr, EVP_sha256(), nullptr) != 1)
    return {};
  return Hex(digest);
}

}  // namespace keybroker::backup
