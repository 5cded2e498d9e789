#include "keybroker/token/key_pair.h"
#include "keybroker/token/openssl.h"

namespace keybroker::token {
namespace {

template <typename T>
std::vector<uint8_t> Der(const T* value, int (*encode)(const T*, unsigned char**)) {
  uint8_t* der = nullptr;
  const int size = encode(value, &der);
  std::vector<uint8_t> out;
  if (size > 0) out.assign(der, der + size);
  OPENSSL_free(der);
  return out;
}

Result<Attributes> CertificateTemplate(const KeyPair& key, Bytes der) {
  const uint8_t* at = der.data();
  const X509Ptr certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (certificate == nullptr || at != der.data() + der.size()) {
    return Fail(Malformed("not a DER certificate"));
  }
  const X509* x509 = certificate.get();
  Attributes attributes;
  attributes.AddUlong(CKA_CLASS, CKO_CERTIFICATE)
      .AddUlong(CKA_CERTIFICATE_TYPE, CKC_X_509)
      .AddBool(CKA_TOKEN, true)
      .AddBool(CKA_PRIVATE, false)
      .Add(CKA_LABEL, key.label)
      .Add(CKA_ID, key.id)
      .Add(CKA_SUBJECT, Der(X509_get_subject_name(x509), i2d_X509_NAME))
      .Add(CKA_ISSUER, Der(X509_get_issuer_name(x509), i2d_X509_NAME))
      .Add(CKA_SERIAL_NUMBER, Der(X509_get0_serialNumber(x509), i2d_ASN1_INTEGER))
      .Add(CKA_VALUE, der);
  return attributes;
}

}  // namespace

Status WriteCertificate(const Session& session, const KeyPair& key, Bytes der) {
  KB_ASSIGN(const Attributes wanted, CertificateTemplate(key, der));
  if (std::equal(der.begin(), der.end(), key.certificate.begin(), key.certificate.end())) return {};
  KB_ASSIGN(const CK_OBJECT_HANDLE object, session.Create(wanted));
  KB_ASSIGN(const auto value, session.Read(object, CKA_VALUE));
  if (!value || !std::equal(value->begin(), value->end(), der.begin(), der.end())) {
    (void)session.Destroy(object);
    return Fail(TokenFailed("the token gave the certificate back otherwise than it was stored"));
  }
  if (key.certificate_object != CK_INVALID_HANDLE) KB_TRY(session.Destroy(key.certificate_object));
  return {};
}

Status DeleteKey(const Session& session, const KeyPair& key) {
  KB_TRY(session.Destroy(key.private_key));
  if (key.public_key != CK_INVALID_HANDLE) KB_TRY(session.Destroy(key.public_key));
  if (key.certificate_object != CK_INVALID_HANDLE) KB_TRY(session.Destroy(key.certificate_object));
  return {};
}

}  // namespace keybroker::token
