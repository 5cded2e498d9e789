// Signing functions (PKCS#11 v2.40 section 5.11). C_SignInit is answered from the catalogue; the
// signature's length follows from the key, so that only a call that can take the signature asks for
// one, and exactly one is made.
#include "module/make_signature.h"
#include "module/refresh.h"
#include "module/session_call.h"
#include "module/sign_check.h"

namespace keybroker::module {
namespace {

// OperationEnd ends the session's operation unless Keep was called: every error ends it.
class OperationEnd {
 public:
  explicit OperationEnd(Session& session) : session_(&session) {}
  ~OperationEnd() {
    if (session_ != nullptr) session_->EndSign();
  }
  OperationEnd(const OperationEnd&) = delete;
  OperationEnd& operator=(const OperationEnd&) = delete;

  CK_RV Keep(CK_RV rv) {
    session_ = nullptr;
    return rv;
  }

 private:
  Session* session_;
};

// The part of C_Sign and C_SignFinal that is the same: data is everything there is to sign.
CK_RV Finish(const SessionCall& call, OperationEnd& end, wire::Bytes data, unsigned char* signature,
             CK_ULONG* size) {
  const SignOperation& operation = call.session().sign;
  const size_t needed = SignatureSize(operation);
  if (signature == nullptr || *size < needed) {
    *size = needed;
    return end.Keep(signature == nullptr ? CKR_OK : CKR_BUFFER_TOO_SMALL);
  }
  const CK_RV fits = CheckSignSize(operation, data.size());
  if (fits != CKR_OK) return fits;
  const CK_RV rv = MakeSignature(call.call(), operation, data, {signature, needed});
  if (rv == CKR_OK) *size = needed;
  return rv;
}

}  // namespace
}  // namespace keybroker::module

using namespace keybroker::module;

CK_RV C_SignInit(CK_SESSION_HANDLE hSession, CK_MECHANISM* pMechanism, CK_OBJECT_HANDLE hKey) {
  const SessionCall call(hSession);
  if (call.rv() != CKR_OK) return call.rv();
  if (pMechanism == nullptr) return CKR_ARGUMENTS_BAD;
  SignOperation& operation = call.session().sign;
  if (operation.mechanism != nullptr) return CKR_OPERATION_ACTIVE;
  CatalogueHold catalogue;
  Object object;
  const CK_RV rv = FindObject(call.call(), hKey, &catalogue, &object);
  if (rv != CKR_OK) return rv;
  if (object.key == nullptr || object.kind == ObjectKind::kCertificate) {
    return CKR_KEY_HANDLE_INVALID;
  }
  if (object.kind == ObjectKind::kPublicKey) return CKR_KEY_FUNCTION_NOT_PERMITTED;
  return CheckSignInit(*pMechanism, *object.key, &operation);
}

CK_RV C_Sign(CK_SESSION_HANDLE hSession, unsigned char* pData, CK_ULONG ulDataLen,
             unsigned char* pSignature, CK_ULONG* pulSignatureLen) {
  const SessionCall call(hSession);
  if (call.rv() != CKR_OK) return call.rv();
  const SignOperation& operation = call.session().sign;
  if (operation.mechanism == nullptr) return CKR_OPERATION_NOT_INITIALIZED;
  OperationEnd end(call.session());
  // Parts are finished by C_SignFinal only.
  if (operation.in_parts) return CKR_OPERATION_NOT_INITIALIZED;
  if ((pData == nullptr && ulDataLen != 0) || pulSignatureLen == nullptr) return CKR_ARGUMENTS_BAD;
  return Finish(call, end, {pData, ulDataLen}, pSignature, pulSignatureLen);
}

// Only mechanisms that hash take their data in parts (PKCS#11 v2.40 mechanisms, tables 1 and 29:
// CKM_RSA_PKCS, CKM_RSA_PKCS_PSS and CKM_ECDSA are single-part). All parts together may be
// wire::kMaxSignData bytes.
CK_RV C_SignUpdate(CK_SESSION_HANDLE hSession, unsigned char* pPart, CK_ULONG ulPartLen) {
  const SessionCall call(hSession);
  if (call.rv() != CKR_OK) return call.rv();
  SignOperation& operation = call.session().sign;
  if (operation.mechanism == nullptr) return CKR_OPERATION_NOT_INITIALIZED;
  OperationEnd end(call.session());
  if (pPart == nullptr && ulPartLen != 0) return CKR_ARGUMENTS_BAD;
  if (!operation.mechanism->hashes) return CKR_FUNCTION_NOT_SUPPORTED;
  if (ulPartLen > keybroker::wire::kMaxSignData - operation.gathered.size()) {
    return CKR_DATA_LEN_RANGE;
  }
  if (!operation.gathered.Append(std::span<const uint8_t>(pPart, ulPartLen))) {
    return CKR_HOST_MEMORY;
  }
  operation.in_parts = true;
  return end.Keep(CKR_OK);
}

CK_RV C_SignFinal(CK_SESSION_HANDLE hSession, unsigned char* pSignature,
                  CK_ULONG* pulSignatureLen) {
  const SessionCall call(hSession);
  if (call.rv() != CKR_OK) return call.rv();
  const SignOperation& operation = call.session().sign;
  if (operation.mechanism == nullptr) return CKR_OPERATION_NOT_INITIALIZED;
  OperationEnd end(call.session());
  if (pulSignatureLen == nullptr) return CKR_ARGUMENTS_BAD;
  if (!operation.mechanism->hashes) return CKR_FUNCTION_NOT_SUPPORTED;
  return Finish(call, end, operation.gathered.items(), pSignature, pulSignatureLen);
}
