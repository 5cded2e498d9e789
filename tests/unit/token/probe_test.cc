#include "keybroker/token/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "keybroker/token/key_pair.h"
#include "support/soft_token.h"

namespace keybroker::token {
namespace {

// Each profile in tokens/ says what its token does today; several_processes and hang_limit_ms are
// not the probe's (tokens/README.md).
void ExpectProfileHolds(const test::SoftToken& soft, const std::string& name) {
  const Token token = soft.LogIn();
  const auto measured = Probe(token);
  ASSERT_TRUE(measured) << measured.error().detail;
  for (const ProbeLine& line : measured->lines) {
    std::printf("%s = %s  # %s\n", line.field.c_str(), line.value.c_str(), line.evidence.c_str());
  }
  const auto kept = LoadProfile(KB_TOKENS_DIR, name);
  ASSERT_TRUE(kept) << kept.error().detail;
  EXPECT_EQ(kept->model, measured->profile.model);
  EXPECT_EQ(kept->allowed_mechanisms, measured->profile.allowed_mechanisms);
  EXPECT_EQ(kept->public_key_info, measured->profile.public_key_info);
  EXPECT_EQ(kept->id_at_generation, measured->profile.id_at_generation);
  EXPECT_EQ(kept->hash_and_sign, measured->profile.hash_and_sign);
  EXPECT_EQ(kept->rsa_bits, measured->profile.rsa_bits);
  EXPECT_EQ(kept->ec_curves, measured->profile.ec_curves);
  EXPECT_EQ(kept->wrap, measured->profile.wrap);
}

void ExpectNothingLeft(const test::SoftToken& soft) {
  const Token token = soft.LogIn();
  const auto session = token.OpenSession(false);
  for (const CK_OBJECT_CLASS object_class : {CKO_PRIVATE_KEY, CKO_PUBLIC_KEY, CKO_SECRET_KEY}) {
    const auto left = session->Find(Attributes().AddUlong(CKA_CLASS, object_class));
    ASSERT_TRUE(left);
    EXPECT_TRUE(left->empty());
  }
}

TEST(Probe, MeasuresOnSoftHsmWhatItsProfileSaysAndLeavesNothing) {
  const test::SoftHsmToken soft;
  ExpectProfileHolds(soft, "softhsm2");
  ExpectNothingLeft(soft);
}

TEST(Probe, MeasuresOnNssWhatItsProfileSaysAndLeavesNothing) {
  const test::NssToken soft;
  ExpectProfileHolds(soft, "nss");
  ExpectNothingLeft(soft);
}

}  // namespace
}  // namespace keybroker::token
