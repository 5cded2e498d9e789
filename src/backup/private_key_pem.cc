#include "keybroker/backup/private_key_pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "backup/openssl.h"
#include "keybroker/token/host_wrap.h"

namespace keybroker::backup {
namespace {

std::vector<uint8_t> SpkiOf(const EVP_PKEY* key) {
  uint8_t* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  std::vector<uint8_t> spki(der, der + (size > 0 ? size : 0));
  OPENSSL_free(der);
  return spki;
}

// ParsePkcs8 passes over what a token put after it (docs/backup-format.md).
EvpKey ParsePkcs8(token::Bytes bytes) {
  const uint8_t* at = bytes.data();
  const Pkcs8Ptr info(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &at, static_cast<long>(bytes.size())));
  return EvpKey(info == nullptr ? nullptr : EVP_PKCS82PKEY(info.get()));
}

Result<Secret> WritePem(const EVP_PKEY* key) {
  const BioPtr out(BIO_new(BIO_s_secmem()));
  char* text = nullptr;
  if (out == nullptr ||
      PEM_write_bio_PKCS8PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return Fail(Internal("the private key cannot be written as PKCS#8"));
  }
  const long size = BIO_get_mem_data(out.get(), &text);
  auto pem = Secret::CopyFrom(std::string_view(text, static_cast<size_t>(size)));
  Wipe(text, static_cast<size_t>(size));
  return pem;
}

}  // namespace

Result<Secret> PrivateKeyPem(const Backup& backup, const Secret& kek) {
  KB_ASSIGN(const Secret pkcs8,
            token::HostUnwrap(backup.key.algorithm, kek, backup.key.iv, backup.key.bytes));
  const EvpKey key = ParsePkcs8(pkcs8.Expose());
  ERR_clear_error();
  if (key == nullptr || SpkiOf(key.get()) != backup.manifest.spki) {
    return Fail(
        Malformed("the MAC fits, but what is wrapped in the file is not the private key that "
                  "its manifest names: whoever wrote it wrapped something else"));
  }
  return WritePem(key.get());
}

}  // namespace keybroker::backup
