#include "keybroker/credential/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>

#include <fstream>
#include <iterator>
#include <string>

#include "unit/credential/test_pki.h"

namespace keybroker::credential {
namespace {

using test::Issue;
using test::TestKey;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Vector(const std::string& name) {
  std::ifstream in(std::string(KB_VECTORS) + "/reference/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// The vectors' key and socket (tests/vectors/reference/README.md).
Reference VectorReference() {
  Reference reference;
  for (int i = 0; i < 20; ++i) reference.id += static_cast<char>(0xa0 + i);
  reference.socket = "/run/keybroker/smtp/socket";
  return reference;
}

TEST(ReferenceFile, IsThePublishedVectorByteForByte) {
  const auto text = FormatReferenceFile(VectorReference(), {});
  ASSERT_TRUE(text.has_value()) << text.error().detail;
  EXPECT_EQ(*text, Vector("engine.pem"));
}

TEST(ProviderFile, IsThePublishedVectorByteForByte) {
  const auto text = FormatProviderFile(VectorReference(), {});
  ASSERT_TRUE(text.has_value()) << text.error().detail;
  EXPECT_EQ(*text, Vector("provider.pem"));
}

TEST(ReferenceFile, IsReadBackWhateverFollowsIt) {
  const TestKey key = TestKey::Ec();
  const Certificate leaf = Issue({}, key, nullptr, key);
  const auto text = FormatReferenceFile(VectorReference(), {leaf});
  ASSERT_TRUE(text.has_value()) << text.error().detail;
  EXPECT_THAT(*text, StartsWith(Vector("engine.pem")));
  EXPECT_THAT(*text, EndsWith(FormatCertificates({leaf})));
  const auto reference = ParseReferenceFile(*text);
  ASSERT_TRUE(reference.has_value()) << reference.error().detail;
  EXPECT_EQ(reference->id, VectorReference().id);
  EXPECT_EQ(reference->socket, VectorReference().socket);
}

TEST(ReferenceFile, WithoutASocketIsReadBack) {
  const auto text = FormatReferenceFile({"\x01", ""}, {});
  ASSERT_TRUE(text.has_value()) << text.error().detail;
  const auto reference = ParseReferenceFile(*text);
  ASSERT_TRUE(reference.has_value()) << reference.error().detail;
  EXPECT_EQ(reference->id, "\x01");
  EXPECT_EQ(reference->socket, "");
}

TEST(ReferenceFile, IsRefusedForASocketThatCannotStandInIt) {
  for (const std::string& socket : {std::string("relative"), std::string("/a b"),
                                    std::string("/a,b"), "/" + std::string(107, 'a')}) {
    const auto text = FormatReferenceFile({"\x01", socket}, {});
    ASSERT_FALSE(text.has_value()) << socket;
    EXPECT_EQ(text.error().code, ErrorCode::kMalformed);
    EXPECT_THAT(text.error().detail, HasSubstr("cannot stand in a reference"));
  }
}

TEST(ReferenceFile, OfAnOrdinaryKeyIsNoReference) {
  const TestKey key = TestKey::Ec();
  BioPtr out(BIO_new(BIO_s_mem()));
  ASSERT_EQ(
      PEM_write_bio_PKCS8PrivateKey(out.get(), key.pkey(), nullptr, nullptr, 0, nullptr, nullptr),
      1);
  char* pem = nullptr;
  const long size = BIO_get_mem_data(out.get(), &pem);
  const auto reference = ParseReferenceFile({pem, static_cast<size_t>(size)});
  ASSERT_FALSE(reference.has_value());
  EXPECT_THAT(reference.error().detail, HasSubstr("no reference of keybroker's"));
}

TEST(ReferenceFile, WithAnyByteChangedIsNotTheSameReference) {
  const std::string good = Vector("engine.pem");
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = bad[i] == 'A' ? 'B' : 'A';
    const auto reference = ParseReferenceFile(bad);
    if (!reference) continue;
    EXPECT_FALSE(reference->id == VectorReference().id &&
                 reference->socket == VectorReference().socket)
        << i;
  }
}

}  // namespace
}  // namespace keybroker::credential
