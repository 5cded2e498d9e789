#include <poll.h>

#include <chrono>

#include "support/module_fixture.h"

namespace keybroker::module {
namespace {

class Slots : public test::ModuleTest {
 protected:
  CK_ULONG SlotsWithToken() {
    CK_SLOT_ID slot = 99;
    CK_ULONG count = 1;
    EXPECT_EQ(api_->C_GetSlotList(CK_TRUE, &slot, &count), CKR_OK);
    EXPECT_EQ(slot, count == 1 ? 0u : 99u);
    return count;
  }
  CK_FLAGS SlotFlags() {
    CK_SLOT_INFO info{};
    EXPECT_EQ(api_->C_GetSlotInfo(0, &info), CKR_OK);
    return info.flags;
  }
  CK_RV TokenInfo(CK_TOKEN_INFO* info) { return api_->C_GetTokenInfo(0, info); }
  template <size_t kSize>
  static std::string Text(const unsigned char (&field)[kSize]) {
    return {reinterpret_cast<const char*>(field), kSize};
  }
};

TEST_F(Slots, ShowTheTokenThatTheBrokerHas) {
  Start();
  EXPECT_EQ(SlotsWithToken(), 1u);
  EXPECT_NE(SlotFlags() & CKF_TOKEN_PRESENT, 0u);
  CK_TOKEN_INFO info;
  ASSERT_EQ(TokenInfo(&info), CKR_OK);
  EXPECT_EQ(Text(info.label), "keybroker" + std::string(23, ' '));
  EXPECT_EQ(Text(info.serialNumber), "https" + std::string(11, ' ')) << "the listener's name";
}

TEST_F(Slots, NeverAskForALogin) {
  Start();
  CK_TOKEN_INFO info;
  ASSERT_EQ(TokenInfo(&info), CKR_OK);
  EXPECT_EQ(info.flags & (CKF_LOGIN_REQUIRED | CKF_PROTECTED_AUTHENTICATION_PATH), 0u);
  EXPECT_NE(info.flags & CKF_TOKEN_INITIALIZED, 0u);
}

TEST_F(Slots, CutALongListenerNameToTheField) {
  broker_.SetListener(std::string(255, 'n'));
  Start();
  CK_TOKEN_INFO info;
  ASSERT_EQ(TokenInfo(&info), CKR_OK);
  EXPECT_EQ(Text(info.serialNumber), std::string(16, 'n'));
}

TEST_F(Slots, AreThereWithoutAToken) {
  broker_.SetTokenPresent(false);
  Start();
  EXPECT_EQ(SlotsWithToken(), 0u);
  EXPECT_EQ(SlotFlags() & CKF_TOKEN_PRESENT, 0u);
  CK_TOKEN_INFO info;
  EXPECT_EQ(TokenInfo(&info), CKR_TOKEN_NOT_PRESENT);
  CK_ULONG count = 0;
  EXPECT_EQ(api_->C_GetMechanismList(0, nullptr, &count), CKR_TOKEN_NOT_PRESENT);
  CK_SLOT_ID slot = 99;
  count = 1;
  EXPECT_EQ(api_->C_GetSlotList(CK_FALSE, &slot, &count), CKR_OK);
  EXPECT_EQ(count, 1u);
  EXPECT_EQ(slot, 0u);
  EXPECT_NE(Open(), CK_INVALID_HANDLE);
}

TEST_F(Slots, AreThereWithoutABroker) {
  ASSERT_EQ(InitializeAt(socket_), CKR_OK);
  CK_SLOT_ID slot = 99;
  CK_ULONG count = 1;
  EXPECT_EQ(api_->C_GetSlotList(CK_FALSE, &slot, &count), CKR_OK);
  EXPECT_EQ(count, 1u);
  EXPECT_NE(Open(), CK_INVALID_HANDLE);
  EXPECT_EQ(SlotsWithToken(), 0u);
  EXPECT_EQ(SlotFlags() & CKF_TOKEN_PRESENT, 0u);
  CK_TOKEN_INFO info;
  EXPECT_EQ(TokenInfo(&info), CKR_TOKEN_NOT_PRESENT);
  CK_MECHANISM_INFO mechanism;
  EXPECT_EQ(api_->C_GetMechanismInfo(0, CKM_ECDSA, &mechanism), CKR_TOKEN_NOT_PRESENT);
}

// Waits for one second, the age after which the module asks again.
TEST_F(Slots, SeeATokenComeAndGo) {
  Start();
  for (const bool present : {false, true}) {
    broker_.SetTokenPresent(present);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (SlotsWithToken() != (present ? 1u : 0u)) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      ::poll(nullptr, 0, 20);
    }
  }
}

TEST_F(Slots, SeeABrokerGoAtOnce) {
  Start();
  ASSERT_EQ(SlotsWithToken(), 1u);
  broker_.Kill();
  EXPECT_EQ(SlotsWithToken(), 0u);
  EXPECT_EQ(SlotFlags() & CKF_TOKEN_PRESENT, 0u);
  broker_.Start();
  EXPECT_EQ(SlotsWithToken(), 1u);
}

TEST_F(Slots, AreCountedTheSameInTheNullAndTheFilledCall) {
  Start();
  for (const CK_BBOOL token_present : std::initializer_list<CK_BBOOL>{CK_FALSE, CK_TRUE}) {
    CK_ULONG count = 99;
    EXPECT_EQ(api_->C_GetSlotList(token_present, nullptr, &count), CKR_OK);
    EXPECT_EQ(count, 1u);
    CK_SLOT_ID slots[2] = {98, 99};
    count = 0;
    EXPECT_EQ(api_->C_GetSlotList(token_present, slots, &count), CKR_BUFFER_TOO_SMALL);
    EXPECT_EQ(count, 1u);
    EXPECT_EQ(slots[0], 98u) << "nothing was written";
    count = 2;
    EXPECT_EQ(api_->C_GetSlotList(token_present, slots, &count), CKR_OK);
    EXPECT_EQ(count, 1u);
    EXPECT_EQ(slots[1], 99u) << "no more than there is was written";
  }
}

TEST_F(Slots, HaveNoEvents) {
  Start();
  CK_SLOT_ID slot = 99;
  EXPECT_EQ(api_->C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, nullptr), CKR_NO_EVENT);
  EXPECT_EQ(api_->C_WaitForSlotEvent(0, &slot, nullptr), CKR_FUNCTION_NOT_SUPPORTED);
}

// A refusal is not an absence: whoever looks for the reason must not be sent to the token.
TEST_F(Slots, TellARefusalFromAnAbsentToken) {
  broker_.SetScript([](const test::BrokerRequest& request) {
    return test::Deed{test::Deed::Kind::kSend, test::FailureAnswer(request, ErrorCode::kDenied, 0)};
  });
  Start();
  CK_TOKEN_INFO info;
  EXPECT_EQ(TokenInfo(&info), CKR_FUNCTION_REJECTED);
}

TEST_F(Slots, AskTheBrokerOnlyNowAndThen) {
  Start();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(SlotsWithToken(), 1u);
  EXPECT_EQ(broker_.connections(), 1u);
  EXPECT_LE(broker_.messages(), 5u);
}

TEST_F(Slots, InfoSaysWhatThisIs) {
  Start();
  CK_INFO info{};
  ASSERT_EQ(api_->C_GetInfo(&info), CKR_OK);
  EXPECT_EQ(info.cryptokiVersion.major, 2);
  EXPECT_EQ(info.cryptokiVersion.minor, 40);
  EXPECT_EQ(info.flags, 0u);
  EXPECT_EQ(Text(info.manufacturerID), "keybroker" + std::string(23, ' '));
}

}  // namespace
}  // namespace keybroker::module
