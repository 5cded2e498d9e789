// A PKCS#11 module for tests that has no keys: KB_TEST_SCRIPT says "CALL=CKR_NUMBER", comma
// separated, for the calls that shall fail; "slots=0" leaves the slot list empty, "label=TEXT"
// names the token. It appends what C_Initialize was given to the file KB_TEST_RECORD.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "keybroker/cryptoki/cryptoki.h"

namespace {

std::string Scripted(std::string_view name) {
  const char* script = getenv("KB_TEST_SCRIPT");
  std::string_view rest = script == nullptr ? "" : script;
  while (!rest.empty()) {
    std::string_view entry = rest.substr(0, rest.find(','));
    rest.remove_prefix(entry.size() == rest.size() ? entry.size() : entry.size() + 1);
    size_t equals = entry.find('=');
    if (entry.substr(0, equals) == name) return std::string(entry.substr(equals + 1));
  }
  return "";
}

CK_RV ScriptedRv(std::string_view name) { return strtoul(Scripted(name).c_str(), nullptr, 0); }

CK_RV Initialize(void* args) {
  auto* given = static_cast<CK_C_INITIALIZE_ARGS*>(args);
  if (const char* path = getenv("KB_TEST_RECORD")) {
    FILE* record = fopen(path, "a");
    auto* reserved = given == nullptr ? nullptr : static_cast<const char*>(given->pReserved);
    fprintf(record, "%s\n", reserved == nullptr ? "(null)" : reserved);
    fclose(record);
  }
  return ScriptedRv("C_Initialize");
}

CK_RV GetSlotList(unsigned char, CK_SLOT_ID* slots, CK_ULONG* count) {
  *count = Scripted("slots") == "0" ? 0 : 1;
  if (slots != nullptr && *count == 1) *slots = 7;
  return ScriptedRv("C_GetSlotList");
}

CK_RV GetTokenInfo(CK_SLOT_ID, CK_TOKEN_INFO* info) {
  std::string label = Scripted("label");
  if (label.empty()) label = "keybroker";
  memset(info, 0, sizeof *info);
  memset(info->label, ' ', sizeof info->label);
  memcpy(info->label, label.data(), label.size());
  return ScriptedRv("C_GetTokenInfo");
}

CK_RV OpenSession(CK_SLOT_ID, CK_FLAGS, void*, CK_NOTIFY, CK_SESSION_HANDLE* session) {
  *session = 1;
  return ScriptedRv("C_OpenSession");
}

CK_RV CloseSession(CK_SESSION_HANDLE) { return CKR_OK; }

CK_RV FindObjectsInit(CK_SESSION_HANDLE, CK_ATTRIBUTE*, CK_ULONG) {
  return ScriptedRv("C_FindObjectsInit");
}

CK_RV FindObjects(CK_SESSION_HANDLE, CK_OBJECT_HANDLE*, CK_ULONG, CK_ULONG* count) {
  *count = 0;
  return ScriptedRv("C_FindObjects");
}

CK_RV FindObjectsFinal(CK_SESSION_HANDLE) { return CKR_OK; }

}  // namespace

extern "C" __attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST** out) {
  static CK_FUNCTION_LIST list;
  list.version = {2, 40};
  list.C_Initialize = Initialize;
  list.C_GetSlotList = GetSlotList;
  list.C_GetTokenInfo = GetTokenInfo;
  list.C_OpenSession = OpenSession;
  list.C_CloseSession = CloseSession;
  list.C_FindObjectsInit = FindObjectsInit;
  list.C_FindObjects = FindObjects;
  list.C_FindObjectsFinal = FindObjectsFinal;
  *out = Scripted("list") == "null" ? nullptr : &list;
  return ScriptedRv("C_GetFunctionList");
}
