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

token::TokenConfig NssIn(const std::string& init_args) {
  token::TokenConfig config;
  config.module = "/usr/lib/libsoftokn3.so";
  config.init_args = init_args;
  return config;
}

TEST(SameToken, GoesByTheSerialNumberWhateverTheConfiguration) {
  token::TokenConfig one;
  token::TokenConfig alias;
  alias.module = "/usr/lib/p11-kit-proxy.so";
  alias.environment["SOFTHSM2_CONF"] = "/elsewhere/softhsm2.conf";
  EXPECT_TRUE(SameToken(IdentityOf(SoftHsm("01ab"), one), IdentityOf(SoftHsm("01ab"), alias)));
  EXPECT_FALSE(SameToken(IdentityOf(SoftHsm("01ab"), one), IdentityOf(SoftHsm("01ac"), one)));
  auto other_model = SoftHsm("01ab");
  other_model.model = "another";
  EXPECT_FALSE(SameToken(IdentityOf(SoftHsm("01ab"), one), IdentityOf(other_model, one)));
}

TEST(SameToken, GoesByTheDatabaseOfNssWhichGivesAllOneSerialNumber) {
  const auto a = IdentityOf(Nss("a"), NssIn("configdir='sql:/var/a' tokenDescription='a'"));
  const auto alias = IdentityOf(Nss("b"), NssIn("flags=x configdir=\"/var/x/../a\" x=y"));
  const auto b = IdentityOf(Nss("a"), NssIn("configdir=sql:/var/b tokenDescription='a'"));
  EXPECT_TRUE(SameToken(a, alias));
  EXPECT_FALSE(SameToken(a, b));
  EXPECT_FALSE(SameToken(a, IdentityOf(Nss("a"), NssIn(""))));
}

TEST(TokenIdentity, ComesBackFromARecord) {
  const auto identity = IdentityOf(Nss("a"), NssIn("configdir='sql:/var/a'"));
  const auto read = ParseIdentity(IdentityJson(identity));
  ASSERT_TRUE(read.has_value());
  EXPECT_TRUE(SameToken(identity, *read));
  EXPECT_EQ(read->label, "a");
  EXPECT_FALSE(ParseIdentity(Json::object()).has_value());
  EXPECT_FALSE(ParseIdentity(Json("text")).has_value());
}

}  // namespace
}  // namespace keybroker::cli
