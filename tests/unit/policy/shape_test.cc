#include <gtest/gtest.h>

#include <cstdlib>
#include <utility>

#include "keybroker/cryptoki/mechanism.h"
#include "keybroker/policy/decision.h"
#include "support/sanitized.h"

namespace {

// Allocations of this thread, counted while it is not negative.
thread_local long allocations = -1;

}  // namespace

// The test program's own operator new: the one way to see that nothing is allocated. Sanitizers
// have theirs.
#if !KB_SANITIZED
void* operator new(std::size_t size) {
  if (allocations >= 0) ++allocations;
  if (void* memory = std::malloc(size != 0 ? size : 1)) return memory;
  std::abort();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif

namespace keybroker::policy {
namespace {

using cryptoki::Digest;
using cryptoki::KeyType;

constexpr Digest kDigests[] = {Digest::kSha256, Digest::kSha384, Digest::kSha512};

KeyFacts Rsa(uint32_t bits = 2048) { return {"k", KeyType::kRsa, bits}; }
KeyFacts Ec(uint32_t bits = 256) { return {"k", KeyType::kEc, bits}; }

PssFacts Pss(Digest digest) {
  return {cryptoki::DigestMechanism(digest), cryptoki::DigestMgf(digest),
          static_cast<uint32_t>(cryptoki::DigestSize(digest))};
}

std::vector<uint8_t> Filled(size_t size) { return std::vector<uint8_t>(size, 0x5a); }

std::vector<uint8_t> DigestInfo(Digest digest) {
  const auto prefix = cryptoki::DigestInfoPrefix(digest);
  std::vector<uint8_t> bytes(prefix.begin(), prefix.end());
  bytes.resize(prefix.size() + cryptoki::DigestSize(digest), 0x5a);
  return bytes;
}

TEST(Shape, OfPkcs1IsADigestInfoOfAnAllowedHash) {
  for (const Digest digest : kDigests) {
    auto data = DigestInfo(digest);
    EXPECT_EQ(CheckShape(Rsa(), {CKM_RSA_PKCS, {}, data}), Reason::kGranted);
    data.push_back(0);
    EXPECT_EQ(CheckShape(Rsa(), {CKM_RSA_PKCS, {}, data}), Reason::kDataWrong);
    data.resize(data.size() - 2);
    EXPECT_EQ(CheckShape(Rsa(), {CKM_RSA_PKCS, {}, data}), Reason::kDataWrong);
  }
  // TLS 1.1's MD5 and SHA-1 side by side, a bare digest, a SHA-1 DigestInfo, nothing.
  std::vector<uint8_t> sha1 = {0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e,
                               0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14};
  sha1.resize(35);
  for (const auto& data : {Filled(36), Filled(32), Filled(256), sha1, Filled(0)}) {
    EXPECT_EQ(CheckShape(Rsa(), {CKM_RSA_PKCS, {}, data}), Reason::kDataWrong);
  }
}

TEST(Shape, OfPkcs1HasNoParametersAndFitsTheKey) {
  const auto data = DigestInfo(Digest::kSha512);
  EXPECT_EQ(CheckShape(Rsa(), {CKM_RSA_PKCS, Pss(Digest::kSha512), data}),
            Reason::kParametersWrong);
  // 83 bytes of DigestInfo and 11 of padding need 94.
  EXPECT_EQ(CheckShape(Rsa(94 * 8), {CKM_RSA_PKCS, {}, data}), Reason::kGranted);
  EXPECT_EQ(CheckShape(Rsa(93 * 8), {CKM_RSA_PKCS, {}, data}), Reason::kDataWrong);
  EXPECT_EQ(CheckShape(Rsa(0), {CKM_RSA_PKCS, {}, data}), Reason::kDataWrong);
  EXPECT_EQ(CheckShape(Rsa(93 * 8), {CKM_SHA512_RSA_PKCS, {}, data}), Reason::kDataWrong);
}

TEST(Shape, OfPssIsADigestOfTheHashInTheParameters) {
  for (const Digest digest : kDigests) {
    for (size_t size = 0; size <= 70; ++size) {
      EXPECT_EQ(CheckShape(Rsa(), {CKM_RSA_PKCS_PSS, Pss(digest), Filled(size)}),
                size == cryptoki::DigestSize(digest) ? Reason::kGranted : Reason::kDataWrong);
    }
  }
}

TEST(Shape, OfPssNeedsParametersThatAgree) {
  const auto check = [](std::optional<PssFacts> pss, uint32_t bits = 2048) {
    return CheckShape(Rsa(bits), {CKM_RSA_PKCS_PSS, pss, Filled(32)});
  };
  const PssFacts good = Pss(Digest::kSha256);
  EXPECT_EQ(check(good), Reason::kGranted);
  EXPECT_EQ(check({}), Reason::kParametersWrong);
  EXPECT_EQ(check(PssFacts{CKM_SHA_1, CKG_MGF1_SHA1, 20}), Reason::kParametersWrong);
  EXPECT_EQ(check(PssFacts{good.hash, CKG_MGF1_SHA384, 32}), Reason::kParametersWrong);
  EXPECT_EQ(check(PssFacts{CKM_SHA384, good.mgf, 32}), Reason::kParametersWrong);
  for (const uint32_t salt : {0U, 20U, 31U, 33U, 64U, ~0U}) {
    EXPECT_EQ(check(PssFacts{good.hash, good.mgf, salt}), Reason::kParametersWrong) << salt;
  }
  // RFC 8017 section 9.1.1: 66 bytes must fit into all but the key's highest bit.
  EXPECT_EQ(check(good, 66 * 8 - 7 + 1), Reason::kGranted);
  EXPECT_EQ(check(good, 66 * 8 - 7), Reason::kParametersWrong);
  EXPECT_EQ(check(good, 0), Reason::kParametersWrong);
}

TEST(Shape, OfHashAndSignTakesAnyMessage) {
  struct Case {
    CK_MECHANISM_TYPE mechanism;
    Digest digest;
  };
  for (const size_t size : {size_t{0}, size_t{1}, size_t{32}, size_t{100000}}) {
    for (const auto& [mechanism, digest] : {Case{CKM_SHA256_RSA_PKCS_PSS, Digest::kSha256},
                                            Case{CKM_SHA384_RSA_PKCS_PSS, Digest::kSha384},
                                            Case{CKM_SHA512_RSA_PKCS_PSS, Digest::kSha512}}) {
      EXPECT_EQ(CheckShape(Rsa(), {mechanism, Pss(digest), Filled(size)}), Reason::kGranted);
    }
    for (const CK_MECHANISM_TYPE mechanism :
         {CKM_SHA256_RSA_PKCS, CKM_SHA384_RSA_PKCS, CKM_SHA512_RSA_PKCS}) {
      EXPECT_EQ(CheckShape(Rsa(), {mechanism, {}, Filled(size)}), Reason::kGranted);
      EXPECT_EQ(CheckShape(Rsa(), {mechanism, Pss(Digest::kSha256), Filled(size)}),
                Reason::kParametersWrong);
    }
    for (const CK_MECHANISM_TYPE mechanism :
         {CKM_ECDSA_SHA256, CKM_ECDSA_SHA384, CKM_ECDSA_SHA512}) {
      EXPECT_EQ(CheckShape(Ec(), {mechanism, {}, Filled(size)}), Reason::kGranted);
    }
  }
}

TEST(Shape, OfHashAndSignPssHoldsTheParametersToTheMechanismsHash) {
  EXPECT_EQ(CheckShape(Rsa(), {CKM_SHA256_RSA_PKCS_PSS, Pss(Digest::kSha384), Filled(5)}),
            Reason::kParametersWrong);
  EXPECT_EQ(CheckShape(Rsa(), {CKM_SHA512_RSA_PKCS_PSS, Pss(Digest::kSha256), Filled(5)}),
            Reason::kParametersWrong);
  EXPECT_EQ(CheckShape(Rsa(), {CKM_SHA256_RSA_PKCS_PSS, {}, Filled(5)}), Reason::kParametersWrong);
}

TEST(Shape, OfEcdsaIsADigestOfAnAllowedHash) {
  for (size_t size = 0; size <= 130; ++size) {
    const bool digest = size == 32 || size == 48 || size == 64;
    for (const uint32_t bits : {256U, 384U, 521U}) {
      EXPECT_EQ(CheckShape(Ec(bits), {CKM_ECDSA, {}, Filled(size)}),
                digest ? Reason::kGranted : Reason::kDataWrong);
    }
  }
  EXPECT_EQ(CheckShape(Ec(), {CKM_ECDSA, Pss(Digest::kSha256), Filled(32)}),
            Reason::kParametersWrong);
}

TEST(Shape, IsDecidedWithoutAnAllocation) {
  if (KB_SANITIZED) GTEST_SKIP() << "the sanitizer has its own operator new";
  const std::string key_name(100, 'k');
  Listener listener;
  listener.bindings.push_back({key_name, {}, {}, {CKM_RSA_PKCS_PSS}});
  const KeyFacts key{key_name, KeyType::kRsa, 2048};
  const auto data = Filled(32);
  const SignFacts request{CKM_RSA_PKCS_PSS, Pss(Digest::kSha256), data};
  allocations = 0;
  const Reason decided = DecideMechanism(listener, &key, request.mechanism);
  const Reason shape = CheckShape(key, request);
  const long counted = std::exchange(allocations, -1);
  EXPECT_EQ(decided, Reason::kGranted);
  EXPECT_EQ(shape, Reason::kGranted);
  EXPECT_EQ(counted, 0);
}

TEST(Shape, HoldsTheMechanismToTheKeysType) {
  for (const auto& mechanism : cryptoki::AllSignMechanisms()) {
    const KeyFacts wrong = mechanism.key_type == KeyType::kRsa ? Ec() : Rsa();
    EXPECT_EQ(CheckShape(wrong, {mechanism.type, {}, Filled(32)}), Reason::kMechanismWrongKeyType);
  }
}

}  // namespace
}  // namespace keybroker::policy
