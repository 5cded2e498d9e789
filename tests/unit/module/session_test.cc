#include <set>

#include "support/module_fixture.h"

namespace keybroker::module {
namespace {

constexpr CK_FLAGS kReadOnly = CKF_SERIAL_SESSION;
constexpr CK_FLAGS kReadWrite = CKF_SERIAL_SESSION | CKF_RW_SESSION;

// Sessions are the module's own affair: nobody listens at the socket.
class Sessions : public test::ModuleTest {
 protected:
  Sessions() { EXPECT_EQ(InitializeAt(socket_), CKR_OK); }

  CK_SESSION_INFO Info(CK_SESSION_HANDLE session) {
    CK_SESSION_INFO info{};
    EXPECT_EQ(api_->C_GetSessionInfo(session, &info), CKR_OK);
    return info;
  }
  bool IsOpen(CK_SESSION_HANDLE session) {
    CK_SESSION_INFO info{};
    return api_->C_GetSessionInfo(session, &info) == CKR_OK;
  }
  CK_RV Login(CK_SESSION_HANDLE session, CK_USER_TYPE user = CKU_USER, std::string pin = "1234") {
    return api_->C_Login(session, user, reinterpret_cast<unsigned char*>(pin.data()), pin.size());
  }
};

TEST_F(Sessions, TellWhatTheyAre) {
  const CK_SESSION_INFO read_only = Info(Open(kReadOnly));
  EXPECT_EQ(read_only.slotID, 0u);
  EXPECT_EQ(read_only.flags, kReadOnly);
  EXPECT_EQ(read_only.state, CK_STATE{CKS_RO_PUBLIC_SESSION});
  EXPECT_EQ(read_only.ulDeviceError, 0u);
  const CK_SESSION_INFO read_write = Info(Open(kReadWrite));
  EXPECT_EQ(read_write.flags, kReadWrite);
  EXPECT_EQ(read_write.state, CK_STATE{CKS_RW_PUBLIC_SESSION});
}

TEST_F(Sessions, NeverGetAHandleTwice) {
  std::set<CK_SESSION_HANDLE> handles;
  for (int i = 0; i < 1000; ++i) {
    const CK_SESSION_HANDLE session = Open();
    EXPECT_NE(session, CK_INVALID_HANDLE);
    EXPECT_TRUE(handles.insert(session).second);
    EXPECT_EQ(api_->C_CloseSession(session), CKR_OK);
    EXPECT_EQ(api_->C_CloseSession(session), CKR_SESSION_HANDLE_INVALID);
  }
}

TEST_F(Sessions, AreKnownByEveryBitOfTheirHandle) {
  const CK_SESSION_HANDLE session = Open();
  for (int bit = 0; bit < 64; ++bit) EXPECT_FALSE(IsOpen(session ^ CK_ULONG{1} << bit)) << bit;
  EXPECT_FALSE(IsOpen(CK_INVALID_HANDLE));
  EXPECT_TRUE(IsOpen(session));
}

TEST_F(Sessions, CloseOneByOneAndAllTogether) {
  const CK_SESSION_HANDLE first = Open();
  const CK_SESSION_HANDLE second = Open(kReadWrite);
  EXPECT_EQ(api_->C_CloseSession(first), CKR_OK);
  EXPECT_FALSE(IsOpen(first));
  EXPECT_TRUE(IsOpen(second));
  const CK_SESSION_HANDLE third = Open();
  EXPECT_EQ(api_->C_CloseAllSessions(1), CKR_SLOT_ID_INVALID);
  EXPECT_TRUE(IsOpen(second));
  EXPECT_EQ(api_->C_CloseAllSessions(0), CKR_OK);
  EXPECT_FALSE(IsOpen(second));
  EXPECT_FALSE(IsOpen(third));
  EXPECT_TRUE(IsOpen(Open()));
}

TEST_F(Sessions, EndWithFinalize) {
  const CK_SESSION_HANDLE session = Open();
  ASSERT_EQ(api_->C_Finalize(nullptr), CKR_OK);
  ASSERT_EQ(InitializeAt(socket_), CKR_OK);
  EXPECT_FALSE(IsOpen(session));
}

TEST_F(Sessions, AreManyButNotWithoutEnd) {
  CK_SESSION_HANDLE last = CK_INVALID_HANDLE;
  for (int i = 0; i < 65'536; ++i) last = Open();
  CK_SESSION_HANDLE more = CK_INVALID_HANDLE;
  EXPECT_EQ(api_->C_OpenSession(0, kReadOnly, nullptr, nullptr, &more), CKR_SESSION_COUNT);
  EXPECT_EQ(api_->C_CloseSession(last), CKR_OK);
  EXPECT_EQ(api_->C_OpenSession(0, kReadOnly, nullptr, nullptr, &more), CKR_OK);
  EXPECT_EQ(api_->C_CloseAllSessions(0), CKR_OK);
  EXPECT_TRUE(IsOpen(Open()));
}

TEST_F(Sessions, AreCountedInTheTokensInfo) {
  broker_.Start();
  Open(kReadOnly);
  Open(kReadWrite);
  const CK_SESSION_HANDLE closed = Open(kReadWrite);
  EXPECT_EQ(api_->C_CloseSession(closed), CKR_OK);
  CK_TOKEN_INFO info{};
  ASSERT_EQ(api_->C_GetTokenInfo(0, &info), CKR_OK);
  EXPECT_EQ(info.ulSessionCount, 2u);
  EXPECT_EQ(info.ulRwSessionCount, 1u);
  EXPECT_EQ(info.ulMaxSessionCount, 65'536u);
}

TEST_F(Sessions, AcceptEveryLogin) {
  const CK_SESSION_HANDLE session = Open(kReadWrite);
  EXPECT_EQ(api_->C_Login(session, CKU_USER, nullptr, 0), CKR_OK) << "a protected path";
  EXPECT_EQ(api_->C_Logout(session), CKR_OK);
  EXPECT_EQ(Login(session, CKU_USER, ""), CKR_OK);
  EXPECT_EQ(api_->C_Logout(session), CKR_OK);
  EXPECT_EQ(Login(session, CKU_USER, std::string(10'000, 'x')), CKR_OK);
  EXPECT_EQ(Login(session), CKR_USER_ALREADY_LOGGED_IN);
  EXPECT_EQ(Login(session, CKU_SO), CKR_OK);
  EXPECT_EQ(Login(session, CKU_CONTEXT_SPECIFIC), CKR_OK);
  EXPECT_EQ(Login(session, CKU_CONTEXT_SPECIFIC + 1), CKR_USER_TYPE_INVALID);
}

TEST_F(Sessions, ShareTheLogin) {
  const CK_SESSION_HANDLE read_only = Open(kReadOnly);
  const CK_SESSION_HANDLE read_write = Open(kReadWrite);
  ASSERT_EQ(Login(read_only), CKR_OK);
  EXPECT_EQ(Info(read_only).state, CK_STATE{CKS_RO_USER_FUNCTIONS});
  EXPECT_EQ(Info(read_write).state, CK_STATE{CKS_RW_USER_FUNCTIONS});
  EXPECT_EQ(api_->C_Logout(read_write), CKR_OK);
  EXPECT_EQ(api_->C_Logout(read_only), CKR_USER_NOT_LOGGED_IN);
  EXPECT_EQ(Info(read_only).state, CK_STATE{CKS_RO_PUBLIC_SESSION});
}

TEST_F(Sessions, LogOutWithTheLastOfThem) {
  for (const bool all : {false, true}) {
    const CK_SESSION_HANDLE session = Open();
    ASSERT_EQ(Login(session), CKR_OK);
    EXPECT_EQ(all ? api_->C_CloseAllSessions(0) : api_->C_CloseSession(session), CKR_OK);
    EXPECT_EQ(Info(Open()).state, CK_STATE{CKS_RO_PUBLIC_SESSION});
    EXPECT_EQ(api_->C_CloseAllSessions(0), CKR_OK);
  }
}

TEST_F(Sessions, GiveRandomNumbersOfTheKernel) {
  const CK_SESSION_HANDLE session = Open();
  std::vector<unsigned char> first(1000);
  std::vector<unsigned char> second(1000);
  EXPECT_EQ(api_->C_GenerateRandom(session, first.data(), first.size()), CKR_OK);
  EXPECT_EQ(api_->C_GenerateRandom(session, second.data(), second.size()), CKR_OK);
  EXPECT_NE(first, second);
  EXPECT_EQ(api_->C_GenerateRandom(session, nullptr, 0), CKR_OK);
}

}  // namespace
}  // namespace keybroker::module
