#include "keybroker/token/token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "support/soft_token.h"

namespace keybroker::token {
namespace {

using test::SoftHsmToken;
using test::TestSecret;
using testing::HasSubstr;

PinGuard Guard(const test::SoftToken& soft, const Token& token) {
  return std::move(*PinGuard::Open(soft.GuardDir(), token.info().serial, "soft"));
}

Result<Token> Find(const TokenConfig& config) {
  KB_ASSIGN(auto module, Module::Load(config));
  return Token::Find(std::move(module), config);
}

TEST(Token, IsFoundByItsLabel) {
  const SoftHsmToken soft;
  const auto token = Find(soft.config());
  ASSERT_TRUE(token) << token.error().detail;
  EXPECT_EQ(token->info().label, "kb");
  EXPECT_EQ(token->info().manufacturer, "SoftHSM project");
  EXPECT_EQ(token->info().serial.size(), 16u);
  EXPECT_NE(token->info().flags & CKF_TOKEN_INITIALIZED, 0u);
}

TEST(Token, IsNotFoundUnderAnotherLabelAndTheMessageListsWhatIsThere) {
  const SoftHsmToken soft;
  const std::string serial = soft.Open().info().serial;
  TokenConfig config = soft.config();
  config.label = "other";
  const auto token = Find(config);
  ASSERT_FALSE(token);
  EXPECT_EQ(token.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(token.error().rv, CKR_TOKEN_NOT_PRESENT);
  EXPECT_THAT(token.error().detail, HasSubstr("no token has the label \"other\""));
  EXPECT_THAT(token.error().detail, HasSubstr("\"kb\" (serial " + serial + ")"));
  EXPECT_THAT(token.error().detail, HasSubstr("keybroker token init main"));
}

TEST(Token, IsNotFoundByAnotherSerial) {
  const SoftHsmToken soft;
  TokenConfig config = soft.config();
  config.serial = "0123456789abcdef";
  const auto token = Find(config);
  ASSERT_FALSE(token);
  EXPECT_EQ(token.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(token.error().detail, HasSubstr("label \"kb\" and serial 0123456789abcdef"));
}

TEST(Token, IsAConflictWhenTwoHaveTheLabelAndASerialDecides) {
  SoftHsmToken soft;
  soft.AddToken("kb");
  const auto both = Find(soft.config());
  ASSERT_FALSE(both);
  EXPECT_EQ(both.error().code, ErrorCode::kConflict);
  std::vector<std::string> serials;
  {
    const auto module = Module::Load(soft.config());
    const auto tokens = ListTokens(**module);
    for (const TokenInfo& info : *tokens) {
      if (info.label == "kb") serials.push_back(info.serial);
    }
  }
  ASSERT_EQ(serials.size(), 2u);
  TokenConfig config = soft.config();
  for (const std::string& serial : serials) {
    EXPECT_THAT(both.error().detail, HasSubstr(serial));
    config.serial = serial;
    const auto token = Find(config);
    ASSERT_TRUE(token) << token.error().detail;
    EXPECT_EQ(token->info().serial, serial);
  }
}

TEST(TokenLogin, TriesAWrongPinOnceAndThenNotAgain) {
  const SoftHsmToken soft;
  Token token = soft.Open();
  PinGuard guard = Guard(soft, token);
  const Status wrong = token.Login(TestSecret("9999"), guard);
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::kDenied);
  EXPECT_EQ(wrong.error().rv, CKR_PIN_INCORRECT);
  EXPECT_THAT(wrong.error().detail, testing::Not(HasSubstr("9999")));
  const Status again = token.Login(TestSecret(test::kUserPin), guard);
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().detail, HasSubstr("no login was tried"));
  ASSERT_TRUE(guard.Allow());
  EXPECT_TRUE(token.Login(TestSecret(test::kUserPin), guard));
}

TEST(TokenLogin, TriesAWrongPinOnceOnNssToo) {
  const test::NssToken soft;
  Token token = soft.Open();
  PinGuard guard = Guard(soft, token);
  EXPECT_EQ(token.Login(TestSecret("9999"), guard).error().rv, CKR_PIN_INCORRECT);
  EXPECT_THAT(token.Login(TestSecret(test::kUserPin), guard).error().detail,
              HasSubstr("no login was tried"));
  ASSERT_TRUE(guard.Allow());
  EXPECT_TRUE(token.Login(TestSecret(test::kUserPin), guard));
}

TEST(TokenLogin, IsKeptWhenEverySessionIsClosed) {
  const SoftHsmToken soft;
  const Token token = soft.LogIn();
  { const auto session = token.OpenSession(false); }
  const auto session = token.OpenSession(false);
  CK_SESSION_INFO info{};
  ASSERT_EQ(token.module()->api().C_GetSessionInfo(session->handle(), &info), CKR_OK);
  EXPECT_EQ(info.state, CKS_RO_USER_FUNCTIONS);
}

TEST(TokenLogin, MayBeRepeated) {
  const SoftHsmToken soft;
  Token token = soft.LogIn();
  PinGuard guard = Guard(soft, token);
  EXPECT_TRUE(token.Login(TestSecret(test::kUserPin), guard));
  EXPECT_EQ(*guard.Blocked(0), "");
}

TEST(TokenPin, IsChangedAndOnlyTheNewOneWorks) {
  const SoftHsmToken soft;
  {
    Token token = soft.LogIn();
    PinGuard guard = Guard(soft, token);
    const Status changed = token.ChangePin(TestSecret(test::kUserPin), TestSecret("865432"), guard);
    ASSERT_TRUE(changed) << changed.error().detail;
  }
  Token token = soft.Open();
  PinGuard guard = Guard(soft, token);
  EXPECT_EQ(token.Login(TestSecret(test::kUserPin), guard).error().rv, CKR_PIN_INCORRECT);
  ASSERT_TRUE(guard.Allow());
  EXPECT_TRUE(token.Login(TestSecret("865432"), guard));
}

TEST(TokenPin, IsNotChangedWithAWrongOldOneWhichCountsAsATry) {
  const SoftHsmToken soft;
  Token token = soft.LogIn();
  PinGuard guard = Guard(soft, token);
  const Status changed = token.ChangePin(TestSecret("9999"), TestSecret("865432"), guard);
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().rv, CKR_PIN_INCORRECT);
  EXPECT_THAT(*guard.Blocked(0), HasSubstr("CKR_PIN_INCORRECT"));
}

TEST(TokenPin, IsNotChangedToOneThatTheTokenCannotTake) {
  const SoftHsmToken soft;
  Token token = soft.LogIn();
  PinGuard guard = Guard(soft, token);
  const Status changed = token.ChangePin(TestSecret(test::kUserPin), TestSecret("123"), guard);
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code, ErrorCode::kMalformed);
  EXPECT_EQ(changed.error().detail, "the new PIN must have 4 to 255 characters on this token");
  EXPECT_TRUE(token.Login(TestSecret(test::kUserPin), guard));
}

TEST(InitToken, RefusesAnInitialisedTokenUnlessTold) {
  const SoftHsmToken soft;
  const Token token = soft.Open();
  const auto init = [&](const char* pin, bool overwrite) {
    return InitToken(*token.module(), token.info().slot, "kb", TestSecret(test::kSoPin),
                     TestSecret(pin), overwrite);
  };
  const Status refused = init("2222", false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kDenied);
  EXPECT_THAT(refused.error().detail, HasSubstr("destroys every key"));
  const Status short_pin = init("222", true);
  ASSERT_FALSE(short_pin);
  EXPECT_EQ(short_pin.error().detail, "the user PIN must have 4 to 255 characters on this token");
  const Status done = init("2222", true);
  ASSERT_TRUE(done) << done.error().detail;
}

TEST(InitToken, GivesANewNssDatabaseItsPin) {
  const test::NewNssDatabase fresh;
  {
    const auto module = Module::Load(fresh.config());
    ASSERT_TRUE(module) << module.error().detail;
    const auto tokens = ListTokens(**module);
    ASSERT_TRUE(tokens);
    const auto blank = std::find_if(tokens->begin(), tokens->end(), [](const auto& each) {
      return (each.flags & CKF_TOKEN_INITIALIZED) == 0;
    });
    ASSERT_NE(blank, tokens->end());
    const Status made = InitToken(**module, blank->slot, blank->label, TestSecret(test::kSoPin),
                                  TestSecret(test::kUserPin), false);
    ASSERT_TRUE(made) << made.error().detail;
  }
  EXPECT_EQ(fresh.LogIn().info().label, "NSS Certificate DB");
}

TEST(InitToken, RefusesALabelThatDoesNotFit) {
  const SoftHsmToken soft;
  const Token token = soft.Open();
  for (const std::string& label : {std::string(), std::string(33, 'x')}) {
    const Status status = InitToken(*token.module(), token.info().slot, label,
                                    TestSecret(test::kSoPin), TestSecret("2222"), true);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, ErrorCode::kMalformed);
  }
  EXPECT_EQ(soft.Open().info().label, "kb");
}

TEST(InitToken, DestroysNothingWithAWrongSoPin) {
  const SoftHsmToken soft;
  const Token token = soft.Open();
  const Status status = InitToken(*token.module(), token.info().slot, "new", TestSecret("87654321"),
                                  TestSecret("2222"), true);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().rv, CKR_PIN_INCORRECT);
  EXPECT_EQ(soft.Open().info().label, "kb");
}

}  // namespace
}  // namespace keybroker::token
