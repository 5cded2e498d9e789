#include <openssl/evp.h>
#include <openssl/rand.h>

#include <string>

#include "backup/openssl.h"
#include "keybroker/backup/backup_file.h"

namespace keybroker::backup {
namespace {

Error NoMemory() { return Internal("OpenSSL could not build the PKCS#12 file"); }

// UseKeyWrap puts AES-256 key wrap with padding (RFC 5649) in the place of AES-256-CBC; its
// parameters are absent. OpenSSL has no call that makes such a PBES2.
bool UseKeyWrap(X509_ALGOR* pbes2) {
  const ASN1_TYPE* packed = pbes2->parameter;
  const Pbe2Ptr params(
      static_cast<PBE2PARAM*>(ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), packed)));
  return params != nullptr &&
         X509_ALGOR_set0(params->encryption, OBJ_nid2obj(NID_id_aes256_wrap_pad), V_ASN1_UNDEF,
                         nullptr) == 1 &&
         ASN1_TYPE_pack_sequence(ASN1_ITEM_rptr(PBE2PARAM), params.get(), &pbes2->parameter) !=
             nullptr;
}

// EncryptionOf is the AlgorithmIdentifier of the encrypted key (RFC 8018 section 6.2).
AlgorPtr EncryptionOf(const Backup& backup) {
  std::vector<uint8_t> salt = backup.kdf.salt;
  std::vector<uint8_t> iv = backup.key.iv;
  iv.resize(token::kCbcIvSize);
  AlgorPtr pbes2(PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), static_cast<int>(backup.kdf.iterations),
                                   salt.data(), static_cast<int>(salt.size()), iv.data(),
                                   NID_hmacWithSHA256));
  if (pbes2 == nullptr) return nullptr;
  const bool cbc = backup.key.algorithm == token::WrapAlgorithm::kAesCbcPad;
  if (!cbc && !UseKeyWrap(pbes2.get())) return nullptr;
  return pbes2;
}

// EncryptedKey is the EncryptedPrivateKeyInfo (RFC 5958 section 3) around the token's output.
SigPtr EncryptedKey(const Backup& backup) {
  const AlgorPtr encryption = EncryptionOf(backup);
  SigPtr sig(X509_SIG_new());
  if (encryption == nullptr || sig == nullptr) return nullptr;
  X509_ALGOR* algorithm = nullptr;
  ASN1_OCTET_STRING* octets = nullptr;
  X509_SIG_getm(sig.get(), &algorithm, &octets);
  const auto& bytes = backup.key.bytes;
  if (X509_ALGOR_copy(algorithm, encryption.get()) != 1 ||
      ASN1_OCTET_STRING_set(octets, bytes.data(), static_cast<int>(bytes.size())) != 1) {
    return nullptr;
  }
  return sig;
}

bool AddNames(PKCS12_SAFEBAG* bag, const Manifest& manifest) {
  std::vector<uint8_t> id = manifest.id;
  return PKCS12_add_friendlyname_utf8(bag, manifest.name.c_str(), -1) == 1 &&
         PKCS12_add_localkeyid(bag, id.data(), static_cast<int>(id.size())) == 1;
}

bool Push(STACK_OF(PKCS12_SAFEBAG) * bags, BagPtr bag) {
  if (bag == nullptr || sk_PKCS12_SAFEBAG_push(bags, bag.get()) <= 0) return false;
  static_cast<void>(bag.release());
  return true;
}

BagsPtr KeyBags(const Backup& backup) {
  BagsPtr bags(sk_PKCS12_SAFEBAG_new_null());
  SigPtr sig = EncryptedKey(backup);
  if (bags == nullptr || sig == nullptr) return nullptr;
  BagPtr bag(PKCS12_SAFEBAG_create0_pkcs8(sig.get()));
  if (bag == nullptr) return nullptr;
  static_cast<void>(sig.release());
  const std::string manifest = FormatManifest(backup.manifest);
  if (!AddNames(bag.get(), backup.manifest) ||
      PKCS12_add1_attr_by_txt(bag.get(), kManifestOid, V_ASN1_UTF8STRING,
                              reinterpret_cast<const uint8_t*>(manifest.data()),
                              static_cast<int>(manifest.size())) != 1 ||
      !Push(bags.get(), std::move(bag))) {
    return nullptr;
  }
  return bags;
}

// CertificateBags names the leaf as its key is named; the others have no attributes.
BagsPtr CertificateBags(const Backup& backup) {
  BagsPtr bags(sk_PKCS12_SAFEBAG_new_null());
  for (size_t i = 0; bags != nullptr && i < backup.chain.size(); ++i) {
    const auto& der = backup.chain[i].der;
    const uint8_t* at = der.data();
    const X509Ptr x509(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
    BagPtr bag(x509 == nullptr ? nullptr : PKCS12_SAFEBAG_create_cert(x509.get()));
    if (bag == nullptr || (i == 0 && !AddNames(bag.get(), backup.manifest)) ||
        !Push(bags.get(), std::move(bag))) {
      return nullptr;
    }
  }
  return bags;
}

bool AddSafe(STACK_OF(PKCS7) * *safes, const BagsPtr& bags) {
  return bags != nullptr && PKCS12_add_safe(safes, bags.get(), -1, 0, nullptr) == 1;
}

Pkcs12Ptr Assemble(const Backup& backup) {
  STACK_OF(PKCS7)* list = nullptr;
  const bool certificates = backup.chain.empty() || AddSafe(&list, CertificateBags(backup));
  const bool key = certificates && AddSafe(&list, KeyBags(backup));
  const SafesPtr safes(list);
  return Pkcs12Ptr(key ? PKCS12_add_safes(safes.get(), 0) : nullptr);
}

bool SetMac(PKCS12* file, const Backup& backup, const Secret& password) {
  uint8_t salt[kSaltSize];
  const auto bytes = password.Expose();
  return RAND_bytes(salt, sizeof salt) == 1 &&
         PKCS12_set_mac(file, reinterpret_cast<const char*>(bytes.data()),
                        static_cast<int>(bytes.size()), salt, sizeof salt,
                        static_cast<int>(backup.mac_iterations), EVP_sha256()) == 1;
}

}  // namespace

Result<std::string> FormatBackup(const Backup& backup, const Secret& password) {
  if (backup.chain.size() > kMaxChain) return Fail(Malformed("the certificate chain is too long"));
  const Pkcs12Ptr file = Assemble(backup);
  if (file == nullptr || !SetMac(file.get(), backup, password)) return Fail(NoMemory());
  uint8_t* der = nullptr;
  const int size = i2d_PKCS12(file.get(), &der);
  if (size <= 0) return Fail(NoMemory());
  std::string bytes(reinterpret_cast<const char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return bytes;
}

}  // namespace keybroker::backup
