#include "keybroker/cryptoki/mechanism.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <vector>

#include "keybroker/cryptoki/names.h"

namespace keybroker::cryptoki {
namespace {

using ::testing::ElementsAre;

constexpr Digest kDigests[] = {Digest::kSha256, Digest::kSha384, Digest::kSha512};

TEST(SignMechanisms, AreAClosedListInAFixedOrder) {
  std::vector<std::string> names;
  for (const SignMechanism& mechanism : AllSignMechanisms()) names.emplace_back(mechanism.name);
  EXPECT_THAT(names,
              ElementsAre("CKM_RSA_PKCS", "CKM_SHA256_RSA_PKCS", "CKM_SHA384_RSA_PKCS",
                          "CKM_SHA512_RSA_PKCS", "CKM_RSA_PKCS_PSS", "CKM_SHA256_RSA_PKCS_PSS",
                          "CKM_SHA384_RSA_PKCS_PSS", "CKM_SHA512_RSA_PKCS_PSS", "CKM_ECDSA",
                          "CKM_ECDSA_SHA256", "CKM_ECDSA_SHA384", "CKM_ECDSA_SHA512"));
}

TEST(SignMechanisms, AreDescribedAsTheirNamesSay) {
  for (const SignMechanism& mechanism : AllSignMechanisms()) {
    const std::string name = mechanism.name;
    EXPECT_EQ(MechanismName(mechanism.type), name);
    const auto has = [&name](const char* part) { return name.find(part) != std::string::npos; };
    EXPECT_EQ(mechanism.key_type == KeyType::kEc, has("ECDSA"));
    EXPECT_EQ(mechanism.scheme == Scheme::kEcdsa, has("ECDSA"));
    EXPECT_EQ(mechanism.scheme == Scheme::kRsaPss, has("PSS"));
    EXPECT_EQ(mechanism.hashes, has("SHA"));
    if (mechanism.hashes) {
      EXPECT_TRUE(has(("SHA" + std::to_string(8 * DigestSize(mechanism.digest))).c_str()));
    }
  }
}

TEST(SignMechanisms, AreFoundByNumberAndByNameWithOrWithoutPrefix) {
  for (const SignMechanism& mechanism : AllSignMechanisms()) {
    EXPECT_EQ(FindSignMechanism(mechanism.type), &mechanism);
    EXPECT_EQ(FindSignMechanism(std::string_view(mechanism.name)), &mechanism);
    EXPECT_EQ(FindSignMechanism(std::string_view(mechanism.name).substr(4)), &mechanism);
  }
  EXPECT_EQ(FindSignMechanism(CK_MECHANISM_TYPE{CKM_RSA_X_509}), nullptr);
  for (const std::string_view name :
       {"", "CKM_", "CKM_RSA_X_509", "ckm_ecdsa", "CKM_ECDSA ", "_ECDSA"}) {
    EXPECT_EQ(FindSignMechanism(name), nullptr) << name;
  }
}

TEST(Digests, HaveTheStandardsSizesNamesAndMechanisms) {
  EXPECT_EQ(DigestSize(Digest::kSha256), 32U);
  EXPECT_EQ(DigestSize(Digest::kSha384), 48U);
  EXPECT_EQ(DigestSize(Digest::kSha512), 64U);
  EXPECT_EQ(DigestName(Digest::kSha384), "SHA-384");
  EXPECT_EQ(DigestMechanism(Digest::kSha256), CK_MECHANISM_TYPE{CKM_SHA256});
  EXPECT_EQ(DigestMgf(Digest::kSha512), CK_RSA_PKCS_MGF_TYPE{CKG_MGF1_SHA512});
  for (const Digest digest : kDigests) {
    EXPECT_EQ(DigestFromMechanism(DigestMechanism(digest)), digest);
  }
  EXPECT_EQ(DigestFromMechanism(CKM_SHA_1), std::nullopt);
  EXPECT_EQ(DigestFromMechanism(CKM_RSA_PKCS), std::nullopt);
}

std::vector<uint8_t> Info(Digest digest) {
  const auto prefix = DigestInfoPrefix(digest);
  std::vector<uint8_t> info(prefix.begin(), prefix.end());
  info.resize(info.size() + DigestSize(digest), 0xa5);
  return info;
}

TEST(DigestInfo, IsDerWithNullParameters) {
  // RFC 8017 section 9.2 note 1, taken apart: the lengths must be those of what is inside.
  for (const Digest digest : kDigests) {
    const auto info = Info(digest);
    EXPECT_EQ(info[0], 0x30);
    EXPECT_EQ(info[1], info.size() - 2);
    EXPECT_EQ(info[3], 13);
    EXPECT_EQ(info[15], 0x05);
    EXPECT_EQ(info[16], 0x00);
    EXPECT_EQ(info[17], 0x04);
    EXPECT_EQ(info[18], DigestSize(digest));
  }
}

TEST(DigestInfo, IsRecognisedWholeAndNotOtherwise) {
  for (const Digest digest : kDigests) {
    auto info = Info(digest);
    EXPECT_EQ(ParseDigestInfo(info), digest);
    for (size_t size = 0; size < info.size(); ++size) {
      EXPECT_EQ(ParseDigestInfo(std::span(info).first(size)), std::nullopt) << size;
    }
    for (size_t i = 0; i < DigestInfoPrefix(digest).size(); ++i) {
      auto changed = info;
      changed[i] ^= 1;
      EXPECT_EQ(ParseDigestInfo(changed), std::nullopt) << i;
    }
    info.push_back(0);
    EXPECT_EQ(ParseDigestInfo(info), std::nullopt);
  }
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    std::vector<uint8_t> bytes(random() % 90);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    EXPECT_EQ(ParseDigestInfo(bytes), std::nullopt);
  }
}

TEST(KeyTypes, HaveNamesAndNumbersThatAreReadBack) {
  for (const KeyType type : {KeyType::kRsa, KeyType::kEc}) {
    EXPECT_EQ(ParseKeyType(KeyTypeName(type)), type);
    EXPECT_EQ(FromCkKeyType(CkKeyType(type)), type);
  }
  EXPECT_EQ(ParseKeyType("RSA"), std::nullopt);
  EXPECT_EQ(FromCkKeyType(CKK_DSA), std::nullopt);
}

TEST(KeyTypes, KnowTheSizeOfASignature) {
  EXPECT_EQ(SignatureSize(KeyType::kRsa, 2048), 256U);
  EXPECT_EQ(SignatureSize(KeyType::kRsa, 2047), 256U);
  EXPECT_EQ(SignatureSize(KeyType::kEc, 256), 64U);
  EXPECT_EQ(SignatureSize(KeyType::kEc, 384), 96U);
  EXPECT_EQ(SignatureSize(KeyType::kEc, 521), 132U);
}

TEST(Names, AreTheStandards) {
  EXPECT_STREQ(RvName(CKR_OK), "CKR_OK");
  EXPECT_STREQ(RvName(CKR_PIN_LOCKED), "CKR_PIN_LOCKED");
  EXPECT_STREQ(RvName(CKR_VENDOR_DEFINED), "CKR_?");
  EXPECT_STREQ(MechanismName(CKM_RSA_X_509), "CKM_RSA_X_509");
  EXPECT_STREQ(MechanismName(0xffffffff), "CKM_?");
  // No value has another one's name.
  std::set<std::string> names;
  size_t named = 0;
  for (CK_RV rv = 0; rv < 0x300; ++rv) {
    if (std::string_view(RvName(rv)) == "CKR_?") continue;
    ++named;
    names.insert(RvName(rv));
  }
  EXPECT_EQ(names.size(), named);
  EXPECT_GT(named, 80U);
}

}  // namespace
}  // namespace keybroker::cryptoki
