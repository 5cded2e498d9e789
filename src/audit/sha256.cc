#include "audit/sha256.h"

namespace keybroker::audit {

Result<std::shared_ptr<Hasher>> Hasher::Make() {
  EVP_MD* sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  EVP_MD_CTX* state = EVP_MD_CTX_new();
  // Owns both from here on, whichever of them is missing.
  std::shared_ptr<Hasher> hasher(new Hasher(sha256, state));
  if (sha256 == nullptr || state == nullptr) return Fail(Internal("OpenSSL offers no SHA-256"));
  return hasher;
}

Hasher::~Hasher() {
  EVP_MD_CTX_free(state_);
  EVP_MD_free(sha256_);
}

void Hasher::Begin() { ok_ = EVP_DigestInit_ex2(state_, sha256_, nullptr) == 1; }

void Hasher::Add(std::string_view bytes) {
  ok_ = ok_ && EVP_DigestUpdate(state_, bytes.data(), bytes.size()) == 1;
}

Result<Hash> Hasher::End() {
  Hash hash{};
  unsigned size = 0;
  ok_ = ok_ && EVP_DigestFinal_ex(state_, hash.data(), &size) == 1 && size == hash.size();
  if (!ok_) return Fail(Internal("SHA-256 failed"));
  return hash;
}

Result<Hash> Hasher::Of(std::string_view bytes) {
  Begin();
  Add(bytes);
  return End();
}

}  // namespace keybroker::audit
