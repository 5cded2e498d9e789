// Object management (PKCS#11 v2.40 section 5.7): finding and reading. What would change an object
// is in unsupported.cc.
#include "module/attributes.h"
#include "module/limits.h"
#include "module/refresh.h"
#include "module/session_call.h"

namespace keybroker::module {
namespace {

constexpr ObjectKind kKinds[] = {ObjectKind::kPrivateKey, ObjectKind::kPublicKey,
                                 ObjectKind::kCertificate};

// Every attribute of the template can be read. A length without a value is a mistake.
bool IsReadable(const CK_ATTRIBUTE* attributes, CK_ULONG count) {
  if (count > kMaxTemplate || (attributes == nullptr && count != 0)) return false;
  for (CK_ULONG i = 0; i < count; ++i) {
    if (attributes[i].pValue == nullptr && attributes[i].ulValueLen != 0) return false;
  }
  return true;
}

// What tells this search from another: FNV-1a of the template, with the values that an object's
// short attributes may have. Searches for others may look alike, and then only ask the broker more
// often.
uint64_t SearchMark(std::span<const CK_ATTRIBUTE> wanted) {
  constexpr size_t kMaxValue = 64;
  uint64_t mark = 0xcbf29ce484222325;
  const auto add = [&mark](const void* data, size_t size) {
    for (size_t i = 0; i < size; ++i) {
      mark = (mark ^ static_cast<const uint8_t*>(data)[i]) * 0x100000001b3;
    }
  };
  for (const CK_ATTRIBUTE& attribute : wanted) {
    add(&attribute.type, sizeof attribute.type);
    add(&attribute.ulValueLen, sizeof attribute.ulValueLen);
    if (attribute.ulValueLen <= kMaxValue) add(attribute.pValue, attribute.ulValueLen);
  }
  return mark == View::kAnySearch ? 1 : mark;
}

bool AppendMatches(const Key& key, std::span<const CK_ATTRIBUTE> wanted,
                   Array<CK_OBJECT_HANDLE>* found) {
  for (const ObjectKind kind : kKinds) {
    if (kind == ObjectKind::kCertificate && !key.has_certificate) continue;
    if (!Matches({&key, kind}, wanted)) continue;
    if (!found->Append(HandleOf(key.entry.key, kind))) return false;
  }
  return true;
}

// That there is no such object is believed only of a broker that was asked now.
CK_RV RunSearch(const Call& call, std::span<const CK_ATTRIBUTE> wanted,
                Array<CK_OBJECT_HANDLE>* found) {
  const uint64_t mark = SearchMark(wanted);
  for (bool asked = false; found->size() == 0 && !asked;) {
    CatalogueHold catalogue;
    const CK_RV rv = Refresh(call, Need::kNewKeys, &catalogue, mark, &asked);
    if (rv != CKR_OK) return rv;
    for (const Key& key : catalogue->keys()) {
      if (!AppendMatches(key, wanted, found)) return CKR_HOST_MEMORY;
    }
  }
  return CKR_OK;
}

}  // namespace
}  // namespace keybroker::module

using namespace keybroker::module;

CK_RV C_FindObjectsInit(CK_SESSION_HANDLE hSession, CK_ATTRIBUTE* pTemplate, CK_ULONG ulCount) {
  const SessionCall call(hSession);
  if (call.rv() != CKR_OK) return call.rv();
  if (!IsReadable(pTemplate, ulCount)) return CKR_ARGUMENTS_BAD;
  Session& session = call.session();
  if (session.search.active) return CKR_OPERATION_ACTIVE;
  const CK_RV rv = RunSearch(call.call(), {pTemplate, ulCount}, &session.search.found);
  if (rv != CKR_OK) {
    session.EndSearch();
    return rv;
  }
  session.search.active = true;
  return CKR_OK;
}

CK_RV C_FindObjects(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE* phObject,
                    CK_ULONG ulMaxObjectCount, CK_ULONG* pulObjectCount) {
  const SessionCall call(hSession);
  if (call.rv() != CKR_OK) return call.rv();
  Search& search = call.session().search;
  if (!search.active) return CKR_OPERATION_NOT_INITIALIZED;
  if (pulObjectCount == nullptr || (phObject == nullptr && ulMaxObjectCount != 0)) {
    return CKR_ARGUMENTS_BAD;
  }
  const size_t left = search.found.size() - search.given;
  const size_t count = left < ulMaxObjectCount ? left : ulMaxObjectCount;
  for (size_t i = 0; i < count; ++i) phObject[i] = search.found[search.given + i];
  search.given += count;
  *pulObjectCount = count;
  return CKR_OK;
}

CK_RV C_FindObjectsFinal(CK_SESSION_HANDLE hSession) {
  const SessionCall call(hSession);
  if (call.rv() != CKR_OK) return call.rv();
  if (!call.session().search.active) return CKR_OPERATION_NOT_INITIALIZED;
  call.session().EndSearch();
  return CKR_OK;
}

CK_RV C_GetAttributeValue(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject,
                          CK_ATTRIBUTE* pTemplate, CK_ULONG ulCount) {
  const SessionCall call(hSession);
  if (call.rv() != CKR_OK) return call.rv();
  if (ulCount > kMaxTemplate || (pTemplate == nullptr && ulCount != 0)) return CKR_ARGUMENTS_BAD;
  CatalogueHold catalogue;
  Object object;
  const CK_RV rv = FindObject(call.call(), hObject, &catalogue, &object);
  if (rv != CKR_OK) return rv;
  if (object.key == nullptr) return CKR_OBJECT_HANDLE_INVALID;
  return CopyAttributes(object, {pTemplate, ulCount});
}
