#include <cstdio>
#include <cstdlib>

#include "contract/backend.h"
#include "keybroker/token/key_pair.h"
#include "support/soft_token.h"

namespace keybroker::contract {
namespace {

// DirectBackend talks to the token itself.
class DirectBackend : public Backend {
 public:
  DirectBackend(std::unique_ptr<test::SoftToken> soft, bool allowed_mechanisms)
      : soft_(std::move(soft)), token_(soft_->LogIn()) {
    token::Profile profile;
    profile.allowed_mechanisms = allowed_mechanisms;
    Generate(profile, {cryptoki::KeyType::kRsa, 2048, kKeyName, false});
    Generate(profile, {cryptoki::KeyType::kEc, 256, kKeyName, false});
  }

  const CK_FUNCTION_LIST& api() const override { return token_.module()->api(); }
  CK_SLOT_ID slot() const override { return token_.info().slot; }
  std::vector<ExpectedKey> keys() const override { return keys_; }

 private:
  void Generate(const token::Profile& profile, const token::KeySpec& spec) {
    const auto session = token_.OpenSession(true);
    const auto key = token::GenerateKey(*session, profile, spec);
    if (!key) {
      std::fprintf(stderr, "contract: %s\n", key.error().detail.c_str());
      std::abort();
    }
    keys_.push_back({key->type, key->bits, key->id, key->spki});
  }

  std::unique_ptr<test::SoftToken> soft_;
  token::Token token_;
  std::vector<ExpectedKey> keys_;
};

}  // namespace

std::unique_ptr<Backend> MakeSoftHsmBackend() {
  return std::make_unique<DirectBackend>(std::make_unique<test::SoftHsmToken>(), true);
}

std::unique_ptr<Backend> MakeNssBackend() {
  return std::make_unique<DirectBackend>(std::make_unique<test::NssToken>(), false);
}

}  // namespace keybroker::contract
