#include "keybroker/policy/listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "keybroker/cryptoki/mechanism.h"

namespace keybroker::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<CK_MECHANISM_TYPE> TlsServer() {
  std::vector<CK_MECHANISM_TYPE> all;
  for (const auto& mechanism : cryptoki::AllSignMechanisms()) all.push_back(mechanism.type);
  std::sort(all.begin(), all.end());
  return all;
}

std::string FaultOf(std::string_view text) {
  const auto listener = ParseListener(text, "/l/https.toml");
  if (listener) return "";
  EXPECT_EQ(listener.error().code, ErrorCode::kMalformed);
  return listener.error().detail;
}

constexpr std::string_view kHead = "[listener]\nname = \"https\"\nusers = [\"www-data\"]\n";

std::string With(std::string_view more) { return std::string(kHead) + std::string(more); }

TEST(ListenerFile, NeedsOnlyNameAndUsers) {
  const auto listener = ParseListener(kHead, "/l/https.toml");
  ASSERT_TRUE(listener.has_value()) << listener.error().detail;
  EXPECT_EQ(listener->name, "https");
  EXPECT_THAT(listener->users, ElementsAre("www-data"));
  EXPECT_EQ(listener->socket, "");
  EXPECT_EQ(listener->owner, "");
  EXPECT_EQ(listener->group, "");
  EXPECT_EQ(listener->mode, 0660U);
  EXPECT_THAT(listener->jails, IsEmpty());
  EXPECT_THAT(listener->bindings, IsEmpty());
}

TEST(ListenerFile, ReadsEveryOption) {
  const auto listener = ParseListener(
      "[listener]\nname = \"https\"\nusers = [\"root\", \"33\"]\nsocket = \"/run/x/s\"\n"
      "owner = \"o\"\ngroup = \"g\"\nmode = \"0600\"\njails = [\"/var/j\", \"/var/k\"]\n"
      "[[binding]]\nkey = \"a.test\"\ntype = \"ec\"\nmechanisms = [\"CKM_ECDSA\"]\n"
      "[[binding]]\nkey = \"*.b.test\"\nmechanisms = [\"tls-server\", \"CKM_ECDSA\"]\n",
      "https.toml");
  ASSERT_TRUE(listener.has_value()) << listener.error().detail;
  EXPECT_THAT(listener->users, ElementsAre("root", "33"));
  EXPECT_EQ(listener->socket, "/run/x/s");
  EXPECT_EQ(listener->owner, "o");
  EXPECT_EQ(listener->group, "g");
  EXPECT_EQ(listener->mode, 0600U);
  EXPECT_THAT(listener->jails, ElementsAre("/var/j", "/var/k"));
  ASSERT_EQ(listener->bindings.size(), 2U);
  EXPECT_EQ(listener->bindings[0].key, "a.test");
  EXPECT_EQ(listener->bindings[0].type, cryptoki::KeyType::kEc);
  EXPECT_THAT(listener->bindings[0].permitted, ElementsAre(CKM_ECDSA));
  EXPECT_EQ(listener->bindings[1].key, "*.b.test");
  EXPECT_EQ(listener->bindings[1].type, std::nullopt);
  EXPECT_THAT(listener->bindings[1].mechanisms, ElementsAre("tls-server", "CKM_ECDSA"));
  EXPECT_EQ(listener->bindings[1].permitted, TlsServer());
}

TEST(ListenerFile, NamesLineAndLegalValuesOfEachMistake) {
  const std::string at = "/l/https.toml:";
  const std::pair<std::string, std::string> cases[] = {
      {"", "1: name: is missing; it must be a string in quotes\n" + at +
               "1: users: must name at least one user whose processes may ask, such as "
               "[\"www-data\"]; name \"root\" too when the server loads its key as root"},
      {"[listener]\nname = \"smtp\"\nusers = [\"a\"]\n",
       "2: name: must be the file's name: \"https\", or rename the file to smtp.toml"},
      {"[listener]\nname = \"admin\"\nusers = [\"a\"]\n",
       "2: name: the listener name \"admin\" is reserved: it names one of keybroker's own sockets"},
      {"[listener]\nname = \"https\"\nusers = [\"a\", \"\", \"a\"]\n",
       "3: users: must not contain an empty name\n" + at + "3: users: \"a\" is listed twice"},
      {With("user = \"x\"\n"),
       "4: unknown key \"user\"; the legal keys here are group, jails, mode, "
       "name, owner, socket, users"},
      {With("[[bindings]]\n"),
       "4: unknown key \"bindings\"; the legal keys here are binding, listener"},
      {With("mode = \"0460\"\n"),
       "4: mode: must be an octal mode in quotes that lets the owner read "
       "and write, such as \"0660\""},
      {With("mode = \"66x\"\n"),
       "4: mode: must be an octal mode in quotes that lets the owner read "
       "and write, such as \"0660\""},
      {With("mode = \"4660\"\n"),
       "4: mode: must be an octal mode in quotes that lets the owner "
       "read and write, such as \"0660\""},
      {With("mode = 660\n"), "4: mode: must be a string in quotes"},
      {With("socket = \"run/s\"\n"), "4: socket: must be an absolute path"},
      {With("socket = \"/run/../s\"\n"), "4: socket: must not contain \"..\", \".\" or \"//\""},
      {With("socket = \"/run//s\"\n"), "4: socket: must not contain \"..\", \".\" or \"//\""},
      {With("socket = \"/run/s/\"\n"), "4: socket: must not end with '/'"},
      {With("socket = \"/" + std::string(107, 's') + "\"\n"),
       "4: socket: is longer than 107 bytes, the limit for a socket's path"},
      {With("jails = [\"/\"]\n"), "4: jails: \"/\" must not end with '/'"},
      {With("jails = [\"j\"]\n"), "4: jails: \"j\" must be an absolute path"},
      {With("jails = [\"/j\", \"/j\"]\n"), "4: jails: \"/j\" is listed twice"},
      {With("[[binding]]\nmechanisms = [\"tls-server\"]\n"),
       "4: key: is missing; it must be a string in quotes"},
      {With("[[binding]]\nkey = \"A.test\"\nmechanisms = [\"tls-server\"]\n"),
       "5: key: the key name \"A.test\" has upper-case letters; write it as \"a.test\""},
      {With("[[binding]]\nkey = \"a.test\"\n"),
       "4: mechanisms: must name at least one mechanism or set, such as [\"tls-server\"]"},
      {With("[[binding]]\nkey = \"a.test\"\ntype = \"dsa\"\nmechanisms = [\"tls-server\"]\n"),
       "6: type: must be one of \"rsa\", \"ec\""},
      {With("[[binding]]\nkey = \"a.test\"\ntype = \"rsa\"\nmechanisms = [\"CKM_ECDSA\"]\n"),
       "7: mechanisms: CKM_ECDSA does not go with type = \"rsa\""},
      {With("[[binding]]\nkey = \"a.test\"\nmechanisms = [\"CKM_RSA_X_509\"]\n"),
       "6: mechanisms: CKM_RSA_X_509 is never permitted: raw RSA signs, and so decrypts, whatever "
       "the caller makes up"},
      {With("[[binding]]\nkey = \"a.test\"\nmechanisms = [\"tls-server\"]\n"
            "[[binding]]\nkey = \"a.test\"\nmechanisms = [\"tls-server\"]\n"),
       "8: key: \"a.test\" has a binding of this type already; put its mechanisms into one"},
  };
  for (const auto& [text, fault] : cases) EXPECT_EQ(FaultOf(text), at + fault) << text;
}

TEST(ListenerFile, IsWrittenAsItIsRead) {
  Listener listener;
  listener.name = "smtp";
  listener.users = {"root", "postfix"};
  const std::string plain = FormatListener(listener);
  const auto read = ParseListener(plain, "smtp.toml");
  ASSERT_TRUE(read.has_value()) << read.error().detail << plain;
  EXPECT_EQ(FormatListener(*read), plain);

  listener.socket = "/run/smtp \"x\"/socket";
  listener.owner = "postfix";
  listener.group = "mail";
  listener.mode = 0600;
  listener.jails = {"/var/spool/postfix"};
  listener.bindings.push_back({"a.test", std::nullopt, {"tls-server"}, {}});
  listener.bindings.push_back({"b.test", cryptoki::KeyType::kRsa, {"CKM_RSA_PKCS_PSS"}, {}});
  const std::string full = FormatListener(listener);
  const auto again = ParseListener(full, "smtp.toml");
  ASSERT_TRUE(again.has_value()) << again.error().detail << full;
  EXPECT_EQ(FormatListener(*again), full);
  EXPECT_EQ(again->socket, listener.socket);
  EXPECT_EQ(again->mode, 0600U);
  EXPECT_EQ(again->jails, listener.jails);
  ASSERT_EQ(again->bindings.size(), 2U);
  EXPECT_EQ(again->bindings[0].permitted, TlsServer());
  EXPECT_EQ(again->bindings[1].type, cryptoki::KeyType::kRsa);
  EXPECT_THAT(again->bindings[1].permitted, ElementsAre(CKM_RSA_PKCS_PSS));
}

TEST(ListenerFile, StaysFreeOfWhatAUserNameCouldSmuggleIn) {
  Listener listener;
  listener.name = "smtp";
  listener.users = {"x\"]\n[[binding]]\nkey = \"a.test\"\nmechanisms = [\"tls-server"};
  EXPECT_FALSE(ParseListener(FormatListener(listener), "smtp.toml").has_value())
      << "a control character in a name is refused, not obeyed";
}

TEST(Mechanisms, ExpandToASortedListWithoutDoubles) {
  const auto some = ExpandMechanisms({"CKM_RSA_PKCS_PSS", "RSA_PKCS", "CKM_RSA_PKCS_PSS"});
  ASSERT_TRUE(some.has_value());
  EXPECT_THAT(*some, ElementsAre(CKM_RSA_PKCS, CKM_RSA_PKCS_PSS));
  EXPECT_EQ(*ExpandMechanisms({"tls-server"}), TlsServer());
  EXPECT_EQ(*ExpandMechanisms({"tls-server", "CKM_ECDSA"}), TlsServer());
  EXPECT_THAT(*ExpandMechanisms({}), IsEmpty());
}

TEST(Mechanisms, OfAnUnknownNameListTheLegalOnes) {
  const auto unknown = ExpandMechanisms({"CKM_SHA1_RSA_PKCS"});
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().detail,
            "\"CKM_SHA1_RSA_PKCS\" is not a mechanism of a binding; the legal ones are "
            "\"tls-server\", \"tls-handshake\", \"CKM_RSA_PKCS\", \"CKM_SHA256_RSA_PKCS\", "
            "\"CKM_SHA384_RSA_PKCS\", "
            "\"CKM_SHA512_RSA_PKCS\", \"CKM_RSA_PKCS_PSS\", \"CKM_SHA256_RSA_PKCS_PSS\", "
            "\"CKM_SHA384_RSA_PKCS_PSS\", \"CKM_SHA512_RSA_PKCS_PSS\", \"CKM_ECDSA\", "
            "\"CKM_ECDSA_SHA256\", \"CKM_ECDSA_SHA384\", \"CKM_ECDSA_SHA512\"");
}

}  // namespace
}  // namespace keybroker::policy
