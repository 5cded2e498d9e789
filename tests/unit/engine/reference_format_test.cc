#include "keybroker/credential/reference_format.h"

#include <gtest/gtest.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include <string>
#include <vector>

namespace keybroker::credential {
namespace {

const std::string kId("\x00\x7f\xab\xff", 4);
constexpr char kUri[] = "pkcs11:token=keybroker;id=%00%7F%AB%FF;type=private";
constexpr char kUriWithSocket[] =
    "pkcs11:token=keybroker;id=%00%7F%AB%FF;type=private"
    "?x-keybroker-socket=%2Frun%2Fkey-broker%2Fa.b_c~d%2Bsocket";

TEST(ReferenceFormat, WritesOneSpelling) {
  EXPECT_EQ(FormatReferenceUri({kId, ""}), kUri);
  EXPECT_EQ(FormatReferenceUri({kId, "/run/key-broker/a.b_c~d+socket"}), kUriWithSocket);
}

TEST(ReferenceFormat, ReadsBackWhatItWrites) {
  auto plain = ParseReferenceUri(kUri);
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->id, kId);
  EXPECT_EQ(plain->socket, "");
  auto with_socket = ParseReferenceUri(kUriWithSocket);
  ASSERT_TRUE(with_socket);
  EXPECT_EQ(with_socket->id, kId);
  EXPECT_EQ(with_socket->socket, "/run/key-broker/a.b_c~d+socket");
}

TEST(ReferenceFormat, EveryByteSurvivesInTheId) {
  for (int byte = 0; byte < 256; ++byte) {
    std::string id(1, static_cast<char>(byte));
    auto uri = FormatReferenceUri({id, ""});
    ASSERT_TRUE(uri);
    auto back = ParseReferenceUri(*uri);
    ASSERT_TRUE(back) << *uri;
    EXPECT_EQ(back->id, id);
  }
}

TEST(ReferenceFormat, RefusesEveryTruncation) {
  std::string uri = kUri;
  for (size_t size = 0; size < uri.size(); ++size) {
    EXPECT_FALSE(ParseReferenceUri(uri.substr(0, size))) << uri.substr(0, size);
  }
}

// A path cut between two characters is a shorter path; the DER length around the URI tells.
TEST(ReferenceFormat, RefusesEveryTruncationOfTheSocketThatIsNotAPath) {
  std::string uri = std::string(kUri) + "?x-keybroker-socket=%2Fab%2Bc";
  std::vector<std::string> accepted;
  for (size_t size = sizeof kUri; size < uri.size(); ++size) {
    if (auto cut = ParseReferenceUri(uri.substr(0, size))) accepted.push_back(cut->socket);
  }
  EXPECT_EQ(accepted, (std::vector<std::string>{"/", "/a", "/ab", "/ab+"}));
}

TEST(ReferenceFormat, RefusesEveryOtherSpelling) {
  const char* const wrong[] = {
      "",
      "pkcs11:",
      "pkcs11:token=keybroker;id=;type=private",
      "pkcs11:token=keybroker;id=%ab;type=private",
      "pkcs11:token=keybroker;id=A;type=private",
      "pkcs11:token=keybroker;id=%A;type=private",
      "pkcs11:token=keybroker;id=%GG;type=private",
      "pkcs11:token=other;id=%AB;type=private",
      "pkcs11:id=%AB;token=keybroker;type=private",
      "pkcs11:token=keybroker;id=%AB;type=public",
      "pkcs11:token=keybroker;id=%AB",
      "pkcs11:token=keybroker;id=%AB;type=private;object=x",
      "pkcs11:token=keybroker;id=%AB;type=private ",
      " pkcs11:token=keybroker;id=%AB;type=private",
      "pkcs11:token=keybroker;id=%AB;type=private\n",
      "pkcs11:token=keybroker;id=%AB;type=private?",
      "pkcs11:token=keybroker;id=%AB;type=private?pin-value=1234",
      "pkcs11:token=keybroker;id=%AB;type=private?x-keybroker-socket=",
      "pkcs11:token=keybroker;id=%AB;type=private?x-keybroker-socket=/run/s",
      "pkcs11:token=keybroker;id=%AB;type=private?x-keybroker-socket=%2frun",
      "pkcs11:token=keybroker;id=%AB;type=private?x-keybroker-socket=%2F%72un",
      "pkcs11:token=keybroker;id=%AB;type=private?x-keybroker-socket=run",
      "pkcs11:token=keybroker;id=%AB;type=private?x-keybroker-socket=%2Frun&pin-value=1",
      "pkcs11:token=keybroker;id=%AB;type=private?x-keybroker-socket=%2Frun%00s",
      "pkcs11:token=keybroker;id=%AB;type=private?x-keybroker-socket=%2Frun%2Cs",
      "pkcs11:token=keybroker;id=%AB;type=private?x-keybroker-socket=%2Frun%",
      "PKCS11:token=keybroker;id=%AB;type=private",
  };
  for (const char* uri : wrong) EXPECT_FALSE(ParseReferenceUri(uri)) << uri;
  std::string with_nul(kUri);
  with_nul += '\0';
  EXPECT_FALSE(ParseReferenceUri(with_nul));
}

TEST(ReferenceFormat, HoldsItsLimitsToTheByte) {
  std::string longest_id(kReferenceMaxId, 'i');
  std::string longest_socket = "/" + std::string(kReferenceMaxSocket - 1, '+');
  auto uri = FormatReferenceUri({longest_id, longest_socket});
  ASSERT_TRUE(uri);
  EXPECT_LE(uri->size(), kReferenceMaxUri);
  EXPECT_TRUE(ParseReferenceUri(*uri));
  EXPECT_FALSE(FormatReferenceUri({longest_id + "i", ""}));
  EXPECT_FALSE(FormatReferenceUri({longest_id, longest_socket + "+"}));
  EXPECT_FALSE(ParseReferenceUri(*uri + "%2B"));
  EXPECT_FALSE(FormatReferenceUri({"", ""}));
}

TEST(ReferenceFormat, RefusesSocketsThatCarriersWouldMisread) {
  for (const char* path : {"run/s", "", "/run/a b", "/run/a,b", "/run/a\"b", "/run/a'b",
                           "/run/a\\b", "/run/a\nb", "/run/\xc3\xa4"}) {
    EXPECT_FALSE(IsReferenceSocket(path)) << path;
  }
  EXPECT_TRUE(IsReferenceSocket("/run/keybroker/smtp/socket"));
}

// OpenSSL's own reading of our DER: version, algorithm, parameters, octets, and nothing behind.
void ExpectReadByOpenSsl(const std::string& uri) {
  std::string der = FormatReferenceDer(uri);
  auto* next = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* end = next + der.size();
  PKCS8_PRIV_KEY_INFO* info =
      d2i_PKCS8_PRIV_KEY_INFO(nullptr, &next, static_cast<long>(der.size()));
  ASSERT_NE(info, nullptr);
  EXPECT_EQ(next, end);
  const ASN1_OBJECT* oid = nullptr;
  const unsigned char* octets = nullptr;
  int size = 0;
  const X509_ALGOR* algorithm = nullptr;
  ASSERT_EQ(PKCS8_pkey_get0(&oid, &octets, &size, &algorithm, info), 1);
  char text[128];
  OBJ_obj2txt(text, sizeof text, oid, 1);
  EXPECT_STREQ(text, kReferenceOid);
  int parameters = 0;
  X509_ALGOR_get0(nullptr, &parameters, nullptr, algorithm);
  EXPECT_EQ(parameters, V_ASN1_UNDEF);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(octets), static_cast<size_t>(size)), uri);
  unsigned char* again = nullptr;
  int again_size = i2d_PKCS8_PRIV_KEY_INFO(info, &again);
  EXPECT_EQ(std::string(reinterpret_cast<char*>(again), static_cast<size_t>(again_size)), der);
  OPENSSL_free(again);
  PKCS8_PRIV_KEY_INFO_free(info);
}

TEST(ReferenceFormat, ItsDerIsAnOrdinaryPrivateKeyInfo) {
  ExpectReadByOpenSsl(kUri);
  ExpectReadByOpenSsl(kUriWithSocket);
  // Every length where DER's length field grows, inside and outside.
  for (size_t size = 90; size < 300; ++size) ExpectReadByOpenSsl(std::string(size, 'u'));
  ExpectReadByOpenSsl(std::string(kReferenceMaxUri, 'u'));
}

TEST(ReferenceFormat, TheOidsDerIsItsText) {
  const unsigned char* der = kReferenceOidDer;
  ASN1_OBJECT* object = d2i_ASN1_OBJECT(nullptr, &der, sizeof kReferenceOidDer);
  ASSERT_NE(object, nullptr);
  char text[128];
  OBJ_obj2txt(text, sizeof text, object, 1);
  ASN1_OBJECT_free(object);
  EXPECT_STREQ(text, kReferenceOid);
}

}  // namespace
}  // namespace keybroker::credential
