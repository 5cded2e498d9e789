#include "keybroker/credential/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>

#include <string>

#include "unit/credential/test_pki.h"

namespace keybroker::credential {
namespace {

using test::TestKey;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

X509ReqPtr Decode(const std::vector<uint8_t>& der) {
  const unsigned char* at = der.data();
  return X509ReqPtr(d2i_X509_REQ(nullptr, &at, static_cast<long>(der.size())));
}

std::string Subject(X509_REQ* request) {
  BioPtr out(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(out.get(), X509_REQ_get_subject_name(request), 0, XN_FLAG_RFC2253);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<size_t>(size)};
}

struct Names {
  std::vector<std::string> dns;
  bool critical = false;
};

Names NamesOf(X509_REQ* request) {
  Names names;
  STACK_OF(X509_EXTENSION)* extensions = X509_REQ_get_extensions(request);
  const int at = X509v3_get_ext_by_NID(extensions, NID_subject_alt_name, -1);
  names.critical = X509_EXTENSION_get_critical(X509v3_get_ext(extensions, at)) == 1;
  GeneralNamesPtr all(static_cast<GENERAL_NAMES*>(
      X509V3_get_d2i(extensions, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    int type = 0;
    void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(all.get(), i), &type);
    EXPECT_EQ(type, GEN_DNS);
    const auto* text = static_cast<const ASN1_IA5STRING*>(value);
    names.dns.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                           ASN1_STRING_length(text));
  }
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  return names;
}

struct KeyCase {
  const char* name;
  TestKey (*make)();
  int signature_nid;
};

class RequestFor : public ::testing::TestWithParam<KeyCase> {};

TEST_P(RequestFor, VerifiesAndNamesItsAlgorithm) {
  const TestKey key = GetParam().make();
  const auto der =
      MakeRequest(key.Public(), {"CN=mail.example.test", {"mail.example.test", "*.example.test"}},
                  key.AsSigner());
  ASSERT_TRUE(der.has_value()) << der.error().detail;
  X509ReqPtr request = Decode(*der);
  ASSERT_TRUE(request);
  EXPECT_EQ(X509_REQ_verify(request.get(), key.pkey()), 1);
  EXPECT_EQ(X509_REQ_get_signature_nid(request.get()), GetParam().signature_nid);
  EXPECT_EQ(X509_REQ_get_version(request.get()), X509_REQ_VERSION_1);
  EXPECT_EQ(Subject(request.get()), "CN=mail.example.test");
  const Names names = NamesOf(request.get());
  EXPECT_THAT(names.dns, ElementsAre("mail.example.test", "*.example.test"));
  EXPECT_FALSE(names.critical);
}

INSTANTIATE_TEST_SUITE_P(
    EveryKeyType, RequestFor,
    ::testing::Values(
        KeyCase{"Rsa2048", [] { return TestKey::Rsa(); }, NID_sha256WithRSAEncryption},
        KeyCase{"Rsa3072", [] { return TestKey::Rsa(3072); }, NID_sha256WithRSAEncryption},
        KeyCase{"P256", [] { return TestKey::Ec("P-256"); }, NID_ecdsa_with_SHA256},
        KeyCase{"P384", [] { return TestKey::Ec("P-384"); }, NID_ecdsa_with_SHA384},
        KeyCase{"P521", [] { return TestKey::Ec("P-521"); }, NID_ecdsa_with_SHA512}),
    [](const auto& key) { return key.param.name; });

class Requests : public ::testing::Test {
 protected:
  std::string SubjectOf(const std::string& text) {
    const auto der = MakeRequest(key.Public(), {text, {"a.test"}}, key.AsSigner());
    return der ? Subject(Decode(*der).get()) : "refused: " + der.error().detail;
  }

  TestKey key = TestKey::Ec();
};

TEST_F(Requests, TakeSubjectsAsRfc4514WritesThem) {
  EXPECT_EQ(SubjectOf("CN=a.test,O=Example,C=DE"), "CN=a.test,O=Example,C=DE");
  EXPECT_EQ(SubjectOf("CN=a.test, O=Example\\, Inc."), "CN=a.test,O=Example\\, Inc.");
  EXPECT_EQ(SubjectOf("O=Caf\\C3\\A9,CN=a"), "O=Caf\\C3\\A9,CN=a");
  EXPECT_EQ(SubjectOf("O=a=b"), "O=a=b");
}

TEST_F(Requests, RefuseSubjectsThatAreNone) {
  EXPECT_THAT(SubjectOf("mail.example.test"), HasSubstr("a part has no TYPE="));
  EXPECT_THAT(SubjectOf("CN="), HasSubstr("CN= has no value"));
  EXPECT_THAT(SubjectOf("CN=a,"), HasSubstr("ends in a comma"));
  EXPECT_THAT(SubjectOf("CN=a\\"), HasSubstr("ends in a backslash"));
  EXPECT_THAT(SubjectOf("CN=a\\00b"), HasSubstr("escapes nothing"));
  EXPECT_THAT(SubjectOf("CN=a+O=b"), HasSubstr("not supported"));
  EXPECT_THAT(SubjectOf("XX=a"), HasSubstr("\"XX\" is not an attribute type"));
  EXPECT_THAT(SubjectOf("C=Germany"), HasSubstr("C=Germany is refused"));
  EXPECT_THAT(SubjectOf("CN=" + std::string(65, 'a')), HasSubstr("is refused"));
}

TEST_F(Requests, WithoutASubjectHaveCriticalNames) {
  const auto der = MakeRequest(key.Public(), {"", {"a.test"}}, key.AsSigner());
  ASSERT_TRUE(der.has_value()) << der.error().detail;
  EXPECT_TRUE(NamesOf(Decode(*der).get()).critical);
}

TEST_F(Requests, HaveTheNameAsDefaultSubjectUnlessItIsTooLong) {
  EXPECT_EQ(DefaultSubject("mail.example.test"), "CN=mail.example.test");
  EXPECT_EQ(DefaultSubject(std::string(65, 'a')), "");
}

TEST_F(Requests, SignedByAnotherKeyAreNotGiven) {
  const TestKey other = TestKey::Ec();
  const auto der = MakeRequest(key.Public(), {"CN=a", {"a.test"}}, other.AsSigner());
  ASSERT_FALSE(der.has_value());
  EXPECT_EQ(der.error().code, ErrorCode::kTokenFailed);
  EXPECT_THAT(der.error().detail, HasSubstr("does not verify"));
}

TEST_F(Requests, WithASignatureOfTheWrongLengthAreNotGiven) {
  const auto der = MakeRequest(key.Public(), {"CN=a", {"a.test"}},
                               [](CK_MECHANISM_TYPE, token::Bytes) -> Result<std::vector<uint8_t>> {
                                 return std::vector<uint8_t>(63, 1);
                               });
  ASSERT_FALSE(der.has_value());
  EXPECT_EQ(der.error().code, ErrorCode::kTokenFailed);
}

TEST_F(Requests, GiveTheTokensErrorOn) {
  const auto der = MakeRequest(key.Public(), {"CN=a", {"a.test"}},
                               [](CK_MECHANISM_TYPE, token::Bytes) -> Result<std::vector<uint8_t>> {
                                 return Fail(TokenFailed("C_Sign", CKR_DEVICE_ERROR));
                               });
  ASSERT_FALSE(der.has_value());
  EXPECT_EQ(der.error().rv, CKR_DEVICE_ERROR);
}

TEST_F(Requests, AreReadBackFromPemByOpenSsl) {
  const auto der = MakeRequest(key.Public(), {"CN=a", {"a.test"}}, key.AsSigner());
  ASSERT_TRUE(der.has_value());
  const std::string pem = FormatRequest(*der);
  BioPtr in = MemoryBio(pem);
  X509ReqPtr request(PEM_read_bio_X509_REQ(in.get(), nullptr, nullptr, nullptr));
  ASSERT_TRUE(request);
  EXPECT_EQ(X509_REQ_verify(request.get(), key.pkey()), 1);
}

}  // namespace
}  // namespace keybroker::credential
