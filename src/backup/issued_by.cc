#include "backup/issued_by.h"

#include <cstdint>

#include "backup/openssl.h"

namespace keybroker::backup {

bool IssuedBy(const credential::Certificate& certificate, const credential::Certificate& issuer) {
  const uint8_t* at = certificate.der.data();
  const X509Ptr below(d2i_X509(nullptr, &at, static_cast<long>(certificate.der.size())));
  at = issuer.der.data();
  const X509Ptr above(d2i_X509(nullptr, &at, static_cast<long>(issuer.der.size())));
  if (below == nullptr || above == nullptr) return false;
  EVP_PKEY* key = X509_get0_pubkey(above.get());
  return key != nullptr &&
         X509_NAME_cmp(X509_get_issuer_name(below.get()), X509_get_subject_name(above.get())) ==
             0 &&
         X509_verify(below.get(), key) == 1;
}

}  // namespace keybroker::backup
