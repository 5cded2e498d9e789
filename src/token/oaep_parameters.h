#pragma once

#include "keybroker/token/recipient_wrap.h"

namespace keybroker::token {

// OaepParameters is the parameter of CKM_RSA_PKCS_OAEP (PKCS#11 v2.40 mechanisms section 2.1.8).
class OaepParameters {
 public:
  explicit OaepParameters(OaepHash hash) {
    parameters_.hashAlg = hash == OaepHash::kSha1 ? CKM_SHA_1 : CKM_SHA256;
    parameters_.mgf = hash == OaepHash::kSha1 ? CKG_MGF1_SHA1 : CKG_MGF1_SHA256;
    parameters_.source = CKZ_DATA_SPECIFIED;  // of no bytes
  }
  Bytes bytes() const {
    return {reinterpret_cast<const uint8_t*>(&parameters_), sizeof parameters_};
  }

 private:
  CK_RSA_PKCS_OAEP_PARAMS parameters_{};
};

}  // namespace keybroker::token
