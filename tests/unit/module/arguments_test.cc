#include <set>

#include "support/module_fixture.h"

namespace keybroker::module {
namespace {

// Wrong is one wrong call of one function. Session s is open and has no operation.
struct Wrong {
  const char* function;
  CK_RV expected;
  CK_RV (*call)(CK_FUNCTION_LIST* p11, CK_SESSION_HANDLE s);
};

constexpr CK_RV kNoFunction = CKR_FUNCTION_NOT_SUPPORTED;
constexpr CK_RV kNoSlot = CKR_SLOT_ID_INVALID;
constexpr CK_RV kNoSession = CKR_SESSION_HANDLE_INVALID;
constexpr CK_RV kNoOperation = CKR_OPERATION_NOT_INITIALIZED;
constexpr CK_RV kBad = CKR_ARGUMENTS_BAD;

int g_something = 0;
unsigned char g_bytes[64];
CK_ULONG g_size = sizeof g_bytes;
CK_OBJECT_HANDLE g_object;
CK_MECHANISM g_mechanism = {CKM_ECDSA, nullptr, 0};
CK_ATTRIBUTE g_label = {CKA_LABEL, g_bytes, 1};
CK_ATTRIBUTE g_no_value = {CKA_LABEL, nullptr, 4};
CK_SLOT_INFO g_slot_info;
CK_TOKEN_INFO g_token_info;
CK_MECHANISM_INFO g_mechanism_info;
CK_SESSION_INFO g_session_info;
constexpr CK_ULONG kMany = ~CK_ULONG{0};

// KB_WRONG(function, CK_RV, arguments...)
#define KB_WRONG(name, rv, ...)                                                     \
  Wrong {                                                                           \
#name, rv,                                                                      \
        []([[maybe_unused]] CK_FUNCTION_LIST * p11,                                 \
           [[maybe_unused]] CK_SESSION_HANDLE s) { return p11->name(__VA_ARGS__); } \
  }

const Wrong kWrong[] = {
    KB_WRONG(C_Initialize, CKR_CRYPTOKI_ALREADY_INITIALIZED, nullptr),
    KB_WRONG(C_Finalize, kBad, &g_something),
    KB_WRONG(C_GetInfo, kBad, nullptr),
    KB_WRONG(C_GetFunctionList, kBad, nullptr),
    KB_WRONG(C_GetSlotList, kBad, CK_FALSE, nullptr, nullptr),
    KB_WRONG(C_GetSlotList, kBad, CK_TRUE, nullptr, nullptr),
    KB_WRONG(C_GetSlotInfo, kNoSlot, 1, &g_slot_info),
    KB_WRONG(C_GetSlotInfo, kNoSlot, CK_SLOT_ID{1} << 32, &g_slot_info),
    KB_WRONG(C_GetSlotInfo, kBad, 0, nullptr),
    KB_WRONG(C_GetTokenInfo, kNoSlot, 1, &g_token_info),
    KB_WRONG(C_GetTokenInfo, kNoSlot, kMany, nullptr),
    KB_WRONG(C_GetTokenInfo, kBad, 0, nullptr),
    KB_WRONG(C_GetMechanismList, kNoSlot, 1, nullptr, &g_size),
    KB_WRONG(C_GetMechanismList, kBad, 0, nullptr, nullptr),
    KB_WRONG(C_GetMechanismInfo, kNoSlot, 1, CKM_ECDSA, &g_mechanism_info),
    KB_WRONG(C_GetMechanismInfo, kBad, 0, CKM_ECDSA, nullptr),
    KB_WRONG(C_GetMechanismInfo, CKR_MECHANISM_INVALID, 0, CKM_RSA_X_509, &g_mechanism_info),
    KB_WRONG(C_GetMechanismInfo, CKR_MECHANISM_INVALID, 0, CKM_ECDSA | CK_ULONG{1} << 32,
             &g_mechanism_info),
    KB_WRONG(C_InitToken, kNoSlot, 1, g_bytes, 4, g_bytes),
    KB_WRONG(C_InitToken, kNoFunction, 0, g_bytes, 4, g_bytes),
    KB_WRONG(C_InitPIN, kNoFunction, s, g_bytes, 4),
    KB_WRONG(C_SetPIN, kNoFunction, s, g_bytes, 4, g_bytes, 4),
    KB_WRONG(C_OpenSession, kNoSlot, 1, CKF_SERIAL_SESSION, nullptr, nullptr, &s),
    KB_WRONG(C_OpenSession, kBad, 0, CKF_SERIAL_SESSION, nullptr, nullptr, nullptr),
    KB_WRONG(C_OpenSession, CKR_SESSION_PARALLEL_NOT_SUPPORTED, 0, CKF_RW_SESSION, nullptr, nullptr,
             &s),
    KB_WRONG(C_CloseSession, kNoSession, s + 1),
    KB_WRONG(C_CloseAllSessions, kNoSlot, 1),
    KB_WRONG(C_GetSessionInfo, kNoSession, s + 1, &g_session_info),
    KB_WRONG(C_GetSessionInfo, kBad, s, nullptr),
    KB_WRONG(C_GetOperationState, kNoFunction, s, g_bytes, &g_size),
    KB_WRONG(C_SetOperationState, kNoFunction, s, g_bytes, 4, 0, 0),
    KB_WRONG(C_Login, kNoSession, s + 1, CKU_USER, g_bytes, 4),
    KB_WRONG(C_Login, kBad, s, CKU_USER, nullptr, 4),
    KB_WRONG(C_Login, CKR_USER_TYPE_INVALID, s, 3, g_bytes, 4),
    KB_WRONG(C_Logout, kNoSession, s + 1),
    KB_WRONG(C_Logout, CKR_USER_NOT_LOGGED_IN, s),
    KB_WRONG(C_CreateObject, kNoFunction, s, &g_label, 1, &g_object),
    KB_WRONG(C_CopyObject, kNoFunction, s, 1, &g_label, 1, &g_object),
    KB_WRONG(C_DestroyObject, kNoFunction, s, 1),
    KB_WRONG(C_GetObjectSize, kNoFunction, s, 1, &g_size),
    KB_WRONG(C_GetAttributeValue, kNoSession, s + 1, 1, &g_label, 1),
    KB_WRONG(C_GetAttributeValue, kBad, s, 1, nullptr, 1),
    KB_WRONG(C_GetAttributeValue, kBad, s, 1, &g_label, kMany),
    KB_WRONG(C_SetAttributeValue, kNoFunction, s, 1, &g_label, 1),
    KB_WRONG(C_FindObjectsInit, kNoSession, s + 1, &g_label, 1),
    KB_WRONG(C_FindObjectsInit, kBad, s, nullptr, 1),
    KB_WRONG(C_FindObjectsInit, kBad, s, &g_no_value, 1),
    KB_WRONG(C_FindObjectsInit, kBad, s, &g_label, kMany),
    KB_WRONG(C_FindObjects, kNoSession, s + 1, &g_object, 1, &g_size),
    KB_WRONG(C_FindObjects, kNoOperation, s, &g_object, 1, &g_size),
    KB_WRONG(C_FindObjectsFinal, kNoSession, s + 1),
    KB_WRONG(C_FindObjectsFinal, kNoOperation, s),
    KB_WRONG(C_EncryptInit, kNoFunction, s, &g_mechanism, 1),
    KB_WRONG(C_Encrypt, kNoFunction, s, g_bytes, 4, g_bytes, &g_size),
    KB_WRONG(C_EncryptUpdate, kNoFunction, s, g_bytes, 4, g_bytes, &g_size),
    KB_WRONG(C_EncryptFinal, kNoFunction, s, g_bytes, &g_size),
    KB_WRONG(C_DecryptInit, kNoFunction, s, &g_mechanism, 1),
    KB_WRONG(C_Decrypt, kNoFunction, s, g_bytes, 4, g_bytes, &g_size),
    KB_WRONG(C_DecryptUpdate, kNoFunction, s, g_bytes, 4, g_bytes, &g_size),
    KB_WRONG(C_DecryptFinal, kNoFunction, s, g_bytes, &g_size),
    KB_WRONG(C_DigestInit, kNoFunction, s, &g_mechanism),
    KB_WRONG(C_Digest, kNoFunction, s, g_bytes, 4, g_bytes, &g_size),
    KB_WRONG(C_DigestUpdate, kNoFunction, s, g_bytes, 4),
    KB_WRONG(C_DigestKey, kNoFunction, s, 1),
    KB_WRONG(C_DigestFinal, kNoFunction, s, g_bytes, &g_size),
    KB_WRONG(C_SignInit, kNoSession, s + 1, &g_mechanism, 1),
    KB_WRONG(C_SignInit, kBad, s, nullptr, 1),
    KB_WRONG(C_Sign, kNoSession, s + 1, g_bytes, 4, g_bytes, &g_size),
    KB_WRONG(C_Sign, kNoOperation, s, g_bytes, 4, g_bytes, &g_size),
    KB_WRONG(C_SignUpdate, kNoSession, s + 1, g_bytes, 4),
    KB_WRONG(C_SignUpdate, kNoOperation, s, g_bytes, 4),
    KB_WRONG(C_SignFinal, kNoSession, s + 1, g_bytes, &g_size),
    KB_WRONG(C_SignFinal, kNoOperation, s, g_bytes, &g_size),
    KB_WRONG(C_SignRecoverInit, kNoFunction, s, &g_mechanism, 1),
    KB_WRONG(C_SignRecover, kNoFunction, s, g_bytes, 4, g_bytes, &g_size),
    KB_WRONG(C_VerifyInit, kNoFunction, s, &g_mechanism, 1),
    KB_WRONG(C_Verify, kNoFunction, s, g_bytes, 4, g_bytes, 4),
    KB_WRONG(C_VerifyUpdate, kNoFunction, s, g_bytes, 4),
    KB_WRONG(C_VerifyFinal, kNoFunction, s, g_bytes, 4),
    KB_WRONG(C_VerifyRecoverInit, kNoFunction, s, &g_mechanism, 1),
    KB_WRONG(C_VerifyRecover, kNoFunction, s, g_bytes, 4, g_bytes, &g_size),
    KB_WRONG(C_DigestEncryptUpdate, kNoFunction, s, g_bytes, 4, g_bytes, &g_size),
    KB_WRONG(C_DecryptDigestUpdate, kNoFunction, s, g_bytes, 4, g_bytes, &g_size),
    KB_WRONG(C_SignEncryptUpdate, kNoFunction, s, g_bytes, 4, g_bytes, &g_size),
    KB_WRONG(C_DecryptVerifyUpdate, kNoFunction, s, g_bytes, 4, g_bytes, &g_size),
    KB_WRONG(C_GenerateKey, kNoFunction, s, &g_mechanism, &g_label, 1, &g_object),
    KB_WRONG(C_GenerateKeyPair, kNoFunction, s, &g_mechanism, &g_label, 1, &g_label, 1, &g_object,
             &g_object),
    KB_WRONG(C_WrapKey, kNoFunction, s, &g_mechanism, 1, 1, g_bytes, &g_size),
    KB_WRONG(C_UnwrapKey, kNoFunction, s, &g_mechanism, 1, g_bytes, 4, &g_label, 1, &g_object),
    KB_WRONG(C_DeriveKey, kNoFunction, s, &g_mechanism, 1, &g_label, 1, &g_object),
    KB_WRONG(C_SeedRandom, kNoSession, s + 1, g_bytes, 4),
    KB_WRONG(C_SeedRandom, CKR_RANDOM_SEED_NOT_SUPPORTED, s, g_bytes, 4),
    KB_WRONG(C_GenerateRandom, kNoSession, s + 1, g_bytes, 4),
    KB_WRONG(C_GenerateRandom, kBad, s, nullptr, 4),
    KB_WRONG(C_GetFunctionStatus, CKR_FUNCTION_NOT_PARALLEL, s),
    KB_WRONG(C_CancelFunction, CKR_FUNCTION_NOT_PARALLEL, s),
    KB_WRONG(C_WaitForSlotEvent, kBad, CKF_DONT_BLOCK, nullptr, nullptr),
    KB_WRONG(C_WaitForSlotEvent, kBad, CKF_DONT_BLOCK, &g_object, &g_something),
    KB_WRONG(C_WaitForSlotEvent, kNoFunction, 0, &g_object, nullptr),
    KB_WRONG(C_WaitForSlotEvent, CKR_NO_EVENT, CKF_DONT_BLOCK, &g_object, nullptr),
};

using Arguments = test::ModuleTest;

TEST_F(Arguments, TableNamesEveryEntryOfTheFunctionList) {
  std::set<std::string> named;
  for (const Wrong& wrong : kWrong) named.insert(wrong.function);
  const size_t entries =
      (sizeof(CK_FUNCTION_LIST) - offsetof(CK_FUNCTION_LIST, C_Initialize)) / sizeof(void*);
  EXPECT_EQ(named.size(), entries);
  EXPECT_EQ(entries, 68u) << "those of PKCS#11 v2.40";
  EXPECT_EQ(api_->version.major, 2);
  EXPECT_EQ(api_->version.minor, 40);
  const auto* functions = reinterpret_cast<void* const*>(&api_->C_Initialize);
  for (size_t i = 0; i < entries; ++i) EXPECT_NE(functions[i], nullptr) << "entry " << i;
}

TEST_F(Arguments, AreRefusedWithoutAWordToTheBroker) {
  Start();
  const CK_SESSION_HANDLE session = Open();
  for (const Wrong& wrong : kWrong) {
    EXPECT_EQ(wrong.call(api_, session), wrong.expected) << wrong.function;
  }
  EXPECT_EQ(broker_.connections(), 0u);
}

TEST_F(Arguments, AreNotLookedAtBeforeInitialize) {
  for (const Wrong& wrong : kWrong) {
    const std::string name = wrong.function;
    if (name == "C_Initialize" || name == "C_GetFunctionList") continue;
    const bool the_same_always =
        (wrong.expected == kNoFunction && name != "C_InitToken" && name != "C_WaitForSlotEvent") ||
        wrong.expected == CKR_FUNCTION_NOT_PARALLEL;
    EXPECT_EQ(wrong.call(api_, 1), the_same_always ? wrong.expected : CKR_CRYPTOKI_NOT_INITIALIZED)
        << name;
  }
}

}  // namespace
}  // namespace keybroker::module
