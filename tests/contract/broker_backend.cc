#include <dlfcn.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstdio>
#include <cstdlib>

#include "contract/backend.h"
#include "keybroker/token/key_pair.h"
#include "support/stack.h"

namespace keybroker::contract {
namespace {

[[noreturn]] void Die(const std::string& why) {
  std::fprintf(stderr, "contract: %s\n", why.c_str());
  std::abort();
}

CK_FUNCTION_LIST* LoadModule(const std::filesystem::path& path) {
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) Die(::dlerror());
  auto* get_list = reinterpret_cast<CK_C_GetFunctionList>(::dlsym(library, "C_GetFunctionList"));
  CK_FUNCTION_LIST* api = nullptr;
  if (get_list == nullptr || get_list(&api) != CKR_OK) Die("no C_GetFunctionList");
  return api;
}

ExpectedKey FromCertificate(const std::filesystem::path& file) {
  std::unique_ptr<FILE, int (*)(FILE*)> in(std::fopen(file.c_str(), "r"), std::fclose);
  std::unique_ptr<X509, decltype(&X509_free)> x509(
      in ? PEM_read_X509(in.get(), nullptr, nullptr, nullptr) : nullptr, X509_free);
  if (x509 == nullptr) Die("no certificate in " + file.string());
  uint8_t* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x509.get()), &der);
  ExpectedKey key;
  key.spki.assign(der, der + size);
  OPENSSL_free(der);
  EVP_PKEY* public_key = X509_get0_pubkey(x509.get());
  const bool rsa = EVP_PKEY_get_base_id(public_key) == EVP_PKEY_RSA;
  key.type = rsa ? cryptoki::KeyType::kRsa : cryptoki::KeyType::kEc;
  key.bits = static_cast<uint32_t>(EVP_PKEY_get_bits(public_key));
  key.id = *token::SubjectKeyId(key.spki);
  return key;
}

// BrokerBackend is a listener: the module, its socket, and a running keybroker behind it. The
// second key name on the token is bound to nobody, so it must not show.
class BrokerBackend : public Backend {
 public:
  explicit BrokerBackend(test::StackToken token) : api_(LoadModule(test::Stack::ModulePath())) {
    test::StackOptions options;
    options.token = token;
    options.certificates = true;
    options.extra_keys = true;
    auto stack = test::Stack::Make(options);
    if (!stack) Die(stack.error().detail);
    stack_ = std::move(*stack);
    std::string reserved = "socket=" + stack_->socket("https").string();
    CK_C_INITIALIZE_ARGS args{};
    args.flags = CKF_OS_LOCKING_OK;
    args.pReserved = reserved.data();
    if (api_->C_Initialize(&args) != CKR_OK) Die("C_Initialize");
    CK_ULONG count = 1;
    if (api_->C_GetSlotList(CK_TRUE, &slot_, &count) != CKR_OK || count != 1) Die("no slot");
    keys_ = {FromCertificate(stack_->certificate("rsa")),
             FromCertificate(stack_->certificate("ec"))};
  }
  ~BrokerBackend() override { api_->C_Finalize(nullptr); }

  const CK_FUNCTION_LIST& api() const override { return *api_; }
  CK_SLOT_ID slot() const override { return slot_; }
  std::vector<ExpectedKey> keys() const override { return keys_; }

 private:
  CK_FUNCTION_LIST* api_;
  std::unique_ptr<test::Stack> stack_;
  CK_SLOT_ID slot_ = 0;
  std::vector<ExpectedKey> keys_;
};

}  // namespace

std::unique_ptr<Backend> MakeBrokerBackend() {
  return std::make_unique<BrokerBackend>(test::StackToken::kSoftHsm);
}

std::unique_ptr<Backend> MakeBrokerOnNssBackend() {
  return std::make_unique<BrokerBackend>(test::StackToken::kNss);
}

}  // namespace keybroker::contract
