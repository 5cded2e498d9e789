#include "backup/foreign/pkcs12.h"

#include <openssl/err.h>
#include <openssl/pkcs7.h>

#include <string>

#include "backup/foreign/failure.h"
#include "backup/foreign/kdf_cost.h"
#include "backup/foreign/private_key.h"

namespace keybroker::backup {
namespace {

constexpr int kMaxSafes = 16;
constexpr int kMaxBags = 256;
constexpr int kMaxDepth = 4;

// Password as OpenSSL takes it: nullptr is the empty one that has no terminator either.
struct Password {
  const char* text = nullptr;
  int size = 0;
};

// Opener walks through the file once.
class Opener {
 public:
  Opener(const LegacyLibrary& library, const PKCS12* file, const Secret* password)
      : library_(library), file_(file), given_(password != nullptr) {
    if (password == nullptr) return;
    password_.text = reinterpret_cast<const char*>(password->Expose().data());
    password_.size = static_cast<int>(password->size());
  }

  KeyFileResult<Pkcs12Content> Open();

 private:
  KeyFileResult<void> CheckMac();
  KeyFileResult<void> TakeSafe(PKCS7* safe);
  KeyFileResult<void> TakeBags(const STACK_OF(PKCS12_SAFEBAG) * bags, int depth);
  KeyFileResult<void> TakeBag(const PKCS12_SAFEBAG* bag, int depth);
  KeyFileResult<void> TakeKey(const PKCS12_SAFEBAG* bag);
  KeyFileResult<void> TakeCertificate(const PKCS12_SAFEBAG* bag);

  // Undecrypted tells why a decryption did not come out: with a MAC the password fits the file.
  tl::unexpected<KeyFileError> Undecrypted(const std::string& encryption) const;

  const LegacyLibrary& library_;
  const PKCS12* file_;
  const bool given_;  // else password_ is the empty one
  Password password_;
  KdfCost cost_;
  Pkcs12Content content_;
  int bags_ = 0;
  int keys_ = 0;
};

KeyFileResult<void> Opener::CheckMac() {
  const ASN1_OCTET_STRING* salt = nullptr;
  const ASN1_INTEGER* iterations = nullptr;
  content_.has_mac = PKCS12_mac_present(file_) == 1;
  if (!content_.has_mac) return {};
  PKCS12_get0_mac(nullptr, nullptr, &salt, &iterations, file_);
  auto cost = cost_.AddMac(salt, iterations);
  if (!cost) return cost;
  auto* file = const_cast<PKCS12*>(file_);
  if (PKCS12_verify_mac(file, password_.text, password_.size) == 1) return {};
  if (given_) {
    return FailKeyFile(KeyFileDefect::kPassword,
                       "the MAC does not fit: the password is wrong, or the file was changed; the "
                       "format cannot tell which");
  }
  password_ = {"", 0};
  if (PKCS12_verify_mac(file, password_.text, password_.size) == 1) return {};
  return PasswordWanted();
}

tl::unexpected<KeyFileError> Opener::Undecrypted(const std::string& encryption) const {
  const int reason = ERR_GET_REASON(ERR_peek_error());
  ERR_clear_error();
  if (reason == ERR_R_UNSUPPORTED) {
    return FailKeyFile(KeyFileDefect::kUnsupported,
                       "its " + encryption + " cannot be undone: " + library_.Missing());
  }
  if (content_.has_mac) {
    return FailKeyFile(KeyFileDefect::kPassword,
                       "the password is the file's, but not that of a part of it (" + encryption +
                           "): a Java keystore may have another for its key, which keytool "
                           "-keypasswd makes the same");
  }
  if (!given_) return PasswordWanted();
  return WrongPassword();
}

KeyFileResult<void> Opener::TakeKey(const PKCS12_SAFEBAG* bag) {
  if (++keys_ > 1) {
    return FailKeyFile(KeyFileDefect::kUnsupported,
                       "it holds several private keys. Take one out into a file of its own: "
                       "keytool -importkeystore -srcalias NAME, or openssl pkcs12");
  }
  if (PKCS12_SAFEBAG_get_nid(bag) == NID_keyBag) {
    content_.key = DecodePkcs8(library_, PKCS12_SAFEBAG_get0_p8inf(bag));
    return {};
  }
  const X509_ALGOR* algorithm = nullptr;
  const X509_SIG* sig = PKCS12_SAFEBAG_get0_pkcs8(bag);
  if (sig != nullptr) X509_SIG_get0(sig, &algorithm, nullptr);
  auto cost = cost_.Add(algorithm);
  if (!cost) return cost;
  content_.protection = EncryptionName(algorithm);
  ERR_clear_error();
  const Pkcs8Ptr info(
      PKCS12_decrypt_skey_ex(bag, password_.text, password_.size, library_.get(), nullptr));
  if (info == nullptr) return Undecrypted(content_.protection);
  content_.key = DecodePkcs8(library_, info.get());
  return {};
}

KeyFileResult<void> Opener::TakeCertificate(const PKCS12_SAFEBAG* bag) {
  if (PKCS12_SAFEBAG_get_bag_nid(bag) != NID_x509Certificate) return {};
  const X509Ptr x509(PKCS12_SAFEBAG_get1_cert(bag));
  uint8_t* der = nullptr;
  const int size = x509 == nullptr ? 0 : i2d_X509(x509.get(), &der);
  if (size > 0) content_.certificates.emplace_back(der, der + size);
  OPENSSL_free(der);
  if (size > 0 && content_.certificates.size() <= kMaxKeyFileCertificates) return {};
  return FailKeyFile(KeyFileDefect::kDamaged,
                     "a certificate in it does not parse, or there are too many");
}

KeyFileResult<void> Opener::TakeBag(const PKCS12_SAFEBAG* bag, int depth) {
  if (++bags_ > kMaxBags || depth > kMaxDepth) {
    return FailKeyFile(KeyFileDefect::kOverCap, "it holds more than any key file does");
  }
  switch (PKCS12_SAFEBAG_get_nid(bag)) {
    case NID_keyBag:
    case NID_pkcs8ShroudedKeyBag:
      return TakeKey(bag);
    case NID_certBag:
      return TakeCertificate(bag);
    case NID_safeContentsBag:
      return TakeBags(PKCS12_SAFEBAG_get0_safes(bag), depth + 1);
    default:
      return {};  // CRLs and secrets
  }
}

KeyFileResult<void> Opener::TakeBags(const STACK_OF(PKCS12_SAFEBAG) * bags, int depth) {
  for (int i = 0; i < sk_PKCS12_SAFEBAG_num(bags); ++i) {
    auto taken = TakeBag(sk_PKCS12_SAFEBAG_value(bags, i), depth);
    if (!taken) return taken;
  }
  return {};
}

KeyFileResult<void> Opener::TakeSafe(PKCS7* safe) {
  if (PKCS7_type_is_data(safe)) {
    const BagsPtr bags(PKCS12_unpack_p7data(safe));
    if (bags == nullptr) return FailKeyFile(KeyFileDefect::kDamaged, "a part of it does not parse");
    return TakeBags(bags.get(), 0);
  }
  const bool encrypted = PKCS7_type_is_encrypted(safe) && safe->d.encrypted != nullptr &&
                         safe->d.encrypted->enc_data != nullptr;
  if (!encrypted) {
    return FailKeyFile(KeyFileDefect::kUnsupported,
                       "a part of it is not encrypted by a password but to a certificate");
  }
  const X509_ALGOR* algorithm = safe->d.encrypted->enc_data->algorithm;
  auto cost = cost_.Add(algorithm);
  if (!cost) return cost;
  ERR_clear_error();
  const BagsPtr bags(PKCS12_unpack_p7encdata(safe, password_.text, password_.size));
  if (bags == nullptr) return Undecrypted(EncryptionName(algorithm));
  return TakeBags(bags.get(), 0);
}

KeyFileResult<Pkcs12Content> Opener::Open() {
  const auto mac = CheckMac();
  if (!mac) return tl::unexpected(mac.error());
  const SafesPtr safes(PKCS12_unpack_authsafes(file_));
  if (safes == nullptr || sk_PKCS7_num(safes.get()) > kMaxSafes) {
    return FailKeyFile(KeyFileDefect::kDamaged, "its contents do not parse");
  }
  for (int i = 0; i < sk_PKCS7_num(safes.get()); ++i) {
    const auto taken = TakeSafe(sk_PKCS7_value(safes.get(), i));
    if (!taken) return tl::unexpected(taken.error());
  }
  if (keys_ > 0) return std::move(content_);
  return FailKeyFile(KeyFileDefect::kUnsupported,
                     "it is a PKCS#12 file without a private key in it");
}

}  // namespace

KeyFileResult<Pkcs12Content> OpenPkcs12(const LegacyLibrary& library, token::Bytes bytes,
                                        const Secret* password) {
  // Made first, so that all that is read into it belongs to the library's context.
  PKCS12* made = PKCS12_init_ex(NID_pkcs7_data, library.get(), nullptr);
  const uint8_t* at = bytes.data();
  const bool parsed =
      made != nullptr && d2i_PKCS12(&made, &at, static_cast<long>(bytes.size())) != nullptr;
  const Pkcs12Ptr file(made);
  ERR_clear_error();
  if (!parsed || at != bytes.data() + bytes.size()) {
    return FailKeyFile(KeyFileDefect::kDamaged, "its PKCS#12 structure does not parse");
  }
  auto content = Opener(library, file.get(), password).Open();
  ERR_clear_error();
  return content;
}

}  // namespace keybroker::backup
