#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "backup/cms/der_text.h"
#include "backup/foreign/der.h"
#include "backup/openssl.h"
#include "keybroker/backup/cms.h"
#include "keybroker/base/hex.h"

namespace keybroker::backup {
namespace {

X509Ptr X509Of(const credential::Certificate& certificate) {
  const uint8_t* at = certificate.der.data();
  return X509Ptr(d2i_X509(nullptr, &at, static_cast<long>(certificate.der.size())));
}

template <typename T, typename Encode>
std::string Encoded(T* thing, Encode encode) {
  uint8_t* der = nullptr;
  const int size = encode(thing, &der);
  if (size <= 0) return {};
  std::string out(reinterpret_cast<const char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return out;
}

// Pkcs8Key is an RSA private key of PKCS#8, as backup::ReadKeyFile gives it.
EvpKey Pkcs8Key(const Secret& pkcs8) {
  const token::Bytes der = pkcs8.Expose();
  const uint8_t* at = der.data();
  const Pkcs8Ptr info(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &at, static_cast<long>(der.size())));
  EvpKey key(info == nullptr ? nullptr : EVP_PKCS82PKEY(info.get()));
  ERR_clear_error();
  return key;
}

}  // namespace

Result<std::vector<uint8_t>> IssuerAndSerial(const credential::Certificate& certificate) {
  const X509Ptr x509 = X509Of(certificate);
  if (x509 == nullptr) return Fail(Malformed("the certificate does not parse"));
  const std::string issuer = Encoded(X509_get_issuer_name(x509.get()), i2d_X509_NAME);
  const std::string serial = Encoded(X509_get0_serialNumber(x509.get()), i2d_ASN1_INTEGER);
  if (issuer.empty() || serial.empty()) return Fail(Internal("cannot name the certificate"));
  const std::string der = Der(kDerSequence, issuer + serial);
  const auto bytes = BytesOf(der);
  return std::vector<uint8_t>(bytes.begin(), bytes.end());
}

Status CheckRecoveryCertificate(const credential::Certificate& certificate, int64_t now) {
  const X509Ptr x509 = X509Of(certificate);
  EVP_PKEY* key = x509 == nullptr ? nullptr : X509_get0_pubkey(x509.get());
  const int bits = key == nullptr ? 0 : EVP_PKEY_get_bits(key);
  if (bits == 0 || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA ||
      (bits != 2048 && bits != 3072 && bits != 4096)) {
    return Fail(
        Malformed("its key is not RSA of 2048, 3072 or 4096 bits, to which a token can "
                  "wrap"));
  }
  // Without the extension every use is allowed.
  if ((X509_get_key_usage(x509.get()) & X509v3_KU_KEY_ENCIPHERMENT) == 0) {
    return Fail(Malformed("its keyUsage does not allow keyEncipherment"));
  }
  if (now > certificate.not_after || now < certificate.not_before) {
    return Fail(Malformed("it is valid from " + credential::FormatTime(certificate.not_before) +
                          " to " + credential::FormatTime(certificate.not_after) + " only"));
  }
  return {};
}

std::string RecipientText(const Recipient& recipient) {
  DerReader outer(recipient.issuer_serial);
  const auto both = outer.NextOf(kDerSequence);
  DerReader fields(both ? both->contents : token::Bytes());
  const auto issuer = fields.NextOf(kDerSequence);
  const auto serial = fields.NextOf(kDerInteger);
  if (!issuer || !serial) return "?";
  return credential::NameText(issuer->whole) + ", serial " + Hex(serial->contents);
}

FileResult<Secret> OpenContentKey(const Backup& backup, const Secret& recovery_key) {
  const EvpKey key = Pkcs8Key(recovery_key);
  if (key != nullptr && EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_RSA) {
    for (const Recipient& recipient : backup.recipients) {
      auto content_key = token::HostOaepUnwrap(key.get(), backup.oaep, recipient.content_key);
      if (content_key && content_key->size() == token::kKekSize) return std::move(*content_key);
    }
  }
  std::string names;
  for (const Recipient& each : backup.recipients) {
    names += (names.empty() ? "" : "; ") + RecipientText(each);
  }
  return FailFile(Defect::kNoRecipient,
                  "the recovery key is none of those that it was made for (certificate of issuer " +
                      names + "). The file itself is whole: its signature fits");
}

}  // namespace keybroker::backup
