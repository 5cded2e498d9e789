#include "cli/token_identity.h"

#include <gtest/gtest.h>

namespace keybroker::cli {
namespace {

token::TokenInfo SoftHsm(const std::string& serial) {
  token::TokenInfo info;
  info.serial = serial;
  info.manufacturer = "SoftHSM project";
  info.model = "SoftHSM v2";
  info.label = "stack";
  return info;
}

token::TokenInfo Nss(const std::string& label) {
  token::TokenInfo info;
  info.serial = "0000000000000000";
  info.manufacturer = "Mozilla Foundation";
  info.model = "NSS 3";
  info.label = label;
  return info;
}

TEST(SameToken, GoesByModelAndSerialNumber) {
  EXPECT_TRUE(SameToken(IdentityOf(SoftHsm("01ab")), IdentityOf(SoftHsm("01ab"))));
  EXPECT_FALSE(SameToken(IdentityOf(SoftHsm("01ab")), IdentityOf(SoftHsm("01ac"))));
  auto other_model = SoftHsm("01ab");
  other_model.model = "another";
  EXPECT_FALSE(SameToken(IdentityOf(SoftHsm("01ab")), IdentityOf(other_model)));
}

TEST(SameToken, IsAnyTwoDatabasesOfNssWhichGivesAllOneSerialNumber) {
  EXPECT_TRUE(SameToken(IdentityOf(Nss("a")), IdentityOf(Nss("b"))));
}

TEST(TokenIdentity, ComesBackFromARecord) {
  const auto identity = IdentityOf(Nss("a"));
  const auto read = ParseIdentity(IdentityJson(identity));
  ASSERT_TRUE(read.has_value());
  EXPECT_TRUE(SameToken(identity, *read));
  EXPECT_EQ(read->label, "a");
  EXPECT_FALSE(ParseIdentity(Json::object()).has_value());
  EXPECT_FALSE(ParseIdentity(Json("text")).has_value());
}

}  // namespace
}  // namespace keybroker::cli
