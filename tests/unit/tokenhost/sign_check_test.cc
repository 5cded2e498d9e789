#include "tokenhost/sign_check.h"

#include <gtest/gtest.h>

#include <vector>

namespace keybroker::tokenhost {
namespace {

using cryptoki::Digest;
using cryptoki::KeyType;

ServedKey KeyWithEverything(KeyType type) {
  ServedKey key{1, type, type == KeyType::kRsa ? 2048U : 256U, false, {}};
  for (const auto& mechanism : cryptoki::AllSignMechanisms()) {
    if (mechanism.key_type == type) key.mechanisms.push_back(mechanism.type);
  }
  return key;
}

struct Request {
  CK_MECHANISM_TYPE mechanism;
  std::vector<uint8_t> data;
  std::optional<wire::PssParameters> pss = std::nullopt;
};

CK_RV Judge(const ServedKey& key, const Request& request) {
  wire::SignRequest message{};
  message.mechanism = static_cast<uint32_t>(request.mechanism);
  message.data = request.data;
  message.pss = request.pss;
  return CheckSign(key, message).rv;
}

wire::PssParameters Pss(Digest digest, uint32_t salt) {
  return {static_cast<uint32_t>(cryptoki::DigestMechanism(digest)),
          static_cast<uint32_t>(cryptoki::DigestMgf(digest)), salt};
}

std::vector<uint8_t> Bytes(size_t size) { return std::vector<uint8_t>(size, 0x5a); }

std::vector<uint8_t> DigestInfo(Digest digest) {
  const auto prefix = cryptoki::DigestInfoPrefix(digest);
  std::vector<uint8_t> data(prefix.begin(), prefix.end());
  data.resize(data.size() + cryptoki::DigestSize(digest));
  return data;
}

TEST(CheckSign, AcceptsEachDigestWithRawEcdsaAndNothingElse) {
  const ServedKey key = KeyWithEverything(KeyType::kEc);
  for (const size_t size : {32U, 48U, 64U}) {
    EXPECT_EQ(Judge(key, {CKM_ECDSA, Bytes(size)}), CKR_OK) << size;
  }
  for (const size_t size : {0U, 1U, 20U, 31U, 33U, 49U, 65U}) {
    EXPECT_EQ(Judge(key, {CKM_ECDSA, Bytes(size)}), CKR_DATA_INVALID) << size;
  }
}

TEST(CheckSign, AcceptsOnlyADigestInfoWithRsaPkcs) {
  const ServedKey key = KeyWithEverything(KeyType::kRsa);
  EXPECT_EQ(Judge(key, {CKM_RSA_PKCS, DigestInfo(Digest::kSha256)}), CKR_OK);
  EXPECT_EQ(Judge(key, {CKM_RSA_PKCS, DigestInfo(Digest::kSha512)}), CKR_OK);
  EXPECT_EQ(Judge(key, {CKM_RSA_PKCS, Bytes(32)}), CKR_DATA_INVALID);
  auto longer = DigestInfo(Digest::kSha256);
  longer.push_back(0);
  EXPECT_EQ(Judge(key, {CKM_RSA_PKCS, longer}), CKR_DATA_INVALID);
}

TEST(CheckSign, RefusesRawRsaEvenWhenTheKeyOffersIt) {
  ServedKey key = KeyWithEverything(KeyType::kRsa);
  key.mechanisms.push_back(CKM_RSA_X_509);
  EXPECT_EQ(Judge(key, {CKM_RSA_X_509, Bytes(256)}), CKR_MECHANISM_INVALID);
}

TEST(CheckSign, RefusesAMechanismThisKeyDoesNotOffer) {
  ServedKey key = KeyWithEverything(KeyType::kEc);
  key.mechanisms = {CKM_ECDSA};
  EXPECT_EQ(Judge(key, {CKM_ECDSA_SHA256, Bytes(5)}), CKR_MECHANISM_INVALID);
}

TEST(CheckSign, RefusesAMechanismOfTheOtherKeyType) {
  ServedKey key = KeyWithEverything(KeyType::kEc);
  key.mechanisms.push_back(CKM_SHA256_RSA_PKCS);
  EXPECT_EQ(Judge(key, {CKM_SHA256_RSA_PKCS, Bytes(5)}), CKR_KEY_TYPE_INCONSISTENT);
}

TEST(CheckSign, WantsPssParametersWithPssAndOnlyThere) {
  const ServedKey key = KeyWithEverything(KeyType::kRsa);
  EXPECT_EQ(Judge(key, {CKM_RSA_PKCS_PSS, Bytes(32)}), CKR_MECHANISM_PARAM_INVALID);
  EXPECT_EQ(Judge(key, {CKM_SHA256_RSA_PKCS, Bytes(9), Pss(Digest::kSha256, 32)}),
            CKR_MECHANISM_PARAM_INVALID);
}

TEST(CheckSign, WantsHashMgfSaltAndLengthToAgreeInPss) {
  const ServedKey key = KeyWithEverything(KeyType::kRsa);
  EXPECT_EQ(Judge(key, {CKM_RSA_PKCS_PSS, Bytes(48), Pss(Digest::kSha384, 48)}), CKR_OK);
  EXPECT_EQ(Judge(key, {CKM_RSA_PKCS_PSS, Bytes(32), Pss(Digest::kSha384, 48)}),
            CKR_DATA_LEN_RANGE);
  EXPECT_EQ(Judge(key, {CKM_RSA_PKCS_PSS, Bytes(32), Pss(Digest::kSha256, 0)}),
            CKR_MECHANISM_PARAM_INVALID);
  auto mixed = Pss(Digest::kSha256, 32);
  mixed.mgf = static_cast<uint32_t>(cryptoki::DigestMgf(Digest::kSha512));
  EXPECT_EQ(Judge(key, {CKM_RSA_PKCS_PSS, Bytes(32), mixed}), CKR_MECHANISM_PARAM_INVALID);
  auto sha1 = Pss(Digest::kSha256, 32);
  sha1.hash = CKM_SHA_1;
  EXPECT_EQ(Judge(key, {CKM_RSA_PKCS_PSS, Bytes(32), sha1}), CKR_MECHANISM_PARAM_INVALID);
}

TEST(CheckSign, WantsTheMechanismsOwnHashWhereTheTokenHashes) {
  const ServedKey key = KeyWithEverything(KeyType::kRsa);
  EXPECT_EQ(Judge(key, {CKM_SHA256_RSA_PKCS_PSS, Bytes(1000), Pss(Digest::kSha256, 32)}), CKR_OK);
  EXPECT_EQ(Judge(key, {CKM_SHA256_RSA_PKCS_PSS, Bytes(1000), Pss(Digest::kSha512, 64)}),
            CKR_MECHANISM_PARAM_INVALID);
}

TEST(CheckSign, GivesThePssParametersToSignWith) {
  wire::SignRequest message{};
  const auto data = Bytes(64);
  message.mechanism = CKM_RSA_PKCS_PSS;
  message.data = data;
  message.pss = Pss(Digest::kSha512, 64);
  const SignVerdict verdict = CheckSign(KeyWithEverything(KeyType::kRsa), message);
  ASSERT_TRUE(verdict.pss);
  EXPECT_EQ(verdict.pss->digest, Digest::kSha512);
  EXPECT_EQ(verdict.pss->salt_length, 64U);
}

}  // namespace
}  // namespace keybroker::tokenhost
