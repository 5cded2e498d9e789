#include <openssl/evp.h>

#include "token/sign_once.h"

namespace keybroker::token {
namespace {

using cryptoki::Digest;
using cryptoki::Scheme;
using cryptoki::SignMechanism;

// More than an RSA-16384 signature, the longest that OpenSSL knows, is not a signature. A call with
// too little room would leave the operation active, and the session could not sign again.
constexpr size_t kMaxSignature = 2048;

const EVP_MD* Md(Digest digest) {
  switch (digest) {
    case Digest::kSha256:
      return EVP_sha256();
    case Digest::kSha384:
      return EVP_sha384();
    case Digest::kSha512:
      return EVP_sha512();
  }
  return nullptr;
}

CK_MECHANISM_TYPE RawMechanism(Scheme scheme) {
  switch (scheme) {
    case Scheme::kRsaPkcs1:
      return CKM_RSA_PKCS;
    case Scheme::kRsaPss:
      return CKM_RSA_PKCS_PSS;
    case Scheme::kEcdsa:
      return CKM_ECDSA;
  }
  return CKM_RSA_PKCS;
}

// Hashed is what the raw mechanism takes for the message: the digest, in a DigestInfo for PKCS#1.
Result<std::vector<uint8_t>> Hashed(const SignMechanism& mechanism, Bytes message) {
  std::vector<uint8_t> out;
  if (mechanism.scheme == Scheme::kRsaPkcs1) {
    const auto prefix = cryptoki::DigestInfoPrefix(mechanism.digest);
    out.assign(prefix.begin(), prefix.end());
  }
  const size_t start = out.size();
  out.resize(start + cryptoki::DigestSize(mechanism.digest));
  if (EVP_Digest(message.data(), message.size(), out.data() + start, nullptr, Md(mechanism.digest),
                 nullptr) != 1) {
    return Fail(Internal("hashing failed"));
  }
  return out;
}

}  // namespace

Result<std::vector<uint8_t>> SignOnce(const Session& session, CK_OBJECT_HANDLE key,
                                      const SignCall& call) {
  const CK_FUNCTION_LIST& api = session.module()->api();
  CK_RSA_PKCS_PSS_PARAMS parameters{};
  CK_MECHANISM how{call.mechanism, nullptr, 0};
  if (call.pss) {
    parameters.hashAlg = cryptoki::DigestMechanism(call.pss->digest);
    parameters.mgf = cryptoki::DigestMgf(call.pss->digest);
    parameters.sLen = call.pss->salt_length;
    how.pParameter = &parameters;
    how.ulParameterLen = sizeof parameters;
  }
  KB_TRY(CheckRv("C_SignInit", api.C_SignInit(session.handle(), &how, key)));
  CK_RV login = CKR_OK;
  if (call.context_pin != nullptr) {
    const auto pin = call.context_pin->Expose();
    login = api.C_Login(session.handle(), CKU_CONTEXT_SPECIFIC, const_cast<uint8_t*>(pin.data()),
                        pin.size());
  }
  std::vector<uint8_t> signature(kMaxSignature);
  CK_ULONG size = signature.size();
  if (login != CKR_OK) {
    // Ends the operation (v2.40 has no other way), or the session could never sign again.
    api.C_Sign(session.handle(), const_cast<uint8_t*>(call.data.data()), call.data.size(),
               signature.data(), &size);
    return Fail(CheckRv("C_Login(CKU_CONTEXT_SPECIFIC)", login).error());
  }
  KB_TRY(CheckRv("C_Sign", api.C_Sign(session.handle(), const_cast<uint8_t*>(call.data.data()),
                                      call.data.size(), signature.data(), &size)));
  if (size == 0 || size > signature.size()) {
    return Fail(TokenFailed("C_Sign: the token returned a signature of absurd length"));
  }
  signature.resize(size);
  return signature;
}

Result<std::vector<uint8_t>> Session::Sign(CK_OBJECT_HANDLE private_key,
                                           CK_MECHANISM_TYPE mechanism,
                                           const std::optional<PssParameters>& pss, Bytes data,
                                           const Secret* context_pin) const {
  const SignMechanism* known = cryptoki::FindSignMechanism(mechanism);
  if (known == nullptr) {
    return Fail(Denied("not a mechanism that keybroker signs with", CKR_MECHANISM_INVALID));
  }
  if (!known->hashes) return SignOnce(*this, private_key, {mechanism, pss, data, context_pin});
  // Hashing here gives the same signature on every token: SoftHSM 2.6.1 has no CKM_ECDSA_SHA256 and
  // opencryptoki no CKM_SHA256_RSA_PKCS, and the message needs no protection from this process.
  KB_ASSIGN(const auto hashed, Hashed(*known, data));
  return SignOnce(*this, private_key, {RawMechanism(known->scheme), pss, hashed, context_pin});
}

}  // namespace keybroker::token
