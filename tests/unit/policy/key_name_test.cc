#include <gtest/gtest.h>

#include "keybroker/policy/listener.h"

namespace keybroker::policy {
namespace {

std::string NameFault(std::string_view name) {
  const Status status = CheckKeyName(name);
  if (status) return "";
  EXPECT_EQ(status.error().code, ErrorCode::kMalformed);
  const std::string start = "the key name \"" + std::string(name.substr(0, 253)) + "\" ";
  EXPECT_EQ(status.error().detail.substr(0, start.size()), start);
  return status.error().detail.substr(start.size());
}

std::string Long(size_t size) {
  std::string name;
  while (name.size() + 64 <= size) name += std::string(63, 'a') + ".";
  return name + std::string(size - name.size(), 'b');
}

TEST(KeyName, IsADnsName) {
  for (const std::string& name :
       {std::string("mail.example.test"), std::string("*.example.test"), std::string("localhost"),
        std::string("xn--bcher-kva.example"), std::string("3com.example"),
        std::string("a-b.c--d.e"), std::string(63, 'a') + ".test", Long(253),
        std::string("1.2.3.4a")}) {
    EXPECT_EQ(NameFault(name), "") << name;
  }
}

TEST(KeyName, IsRefusedWithTheRuleItBreaks) {
  const std::pair<std::string, std::string> cases[] = {
      {"", "is empty"},
      {Long(254), "is longer than 253 characters"},
      {"b\xc3\xbc"
       "cher.example",
       "has characters outside ASCII; write it in A-labels (\"xn--...\", RFC 5890)"},
      {"mail example.test", "contains a space or a control character"},
      {std::string("mail.example\0.test", 18), "contains a space or a control character"},
      {"mail.example.test\n", "contains a space or a control character"},
      {"2001:db8::1", "is an address or a URL; give the DNS name alone"},
      {"https://example.test", "is an address or a URL; give the DNS name alone"},
      {"../example.test", "is an address or a URL; give the DNS name alone"},
      {"_25._tcp.example.test", "contains '_', which no host name may have"},
      {"Mail.Example.TEST", "has upper-case letters; write it as \"mail.example.test\""},
      {"mail.example.test.", "ends with a dot; leave it out"},
      {".", "ends with a dot; leave it out"},
      {"a..b", "has an empty label (two dots in a row, or one in front)"},
      {".a", "has an empty label (two dots in a row, or one in front)"},
      {std::string(64, 'a') + ".test",
       "the label \"" + std::string(64, 'a') + "\" is longer than 63 characters"},
      {"*", "may have '*' only as its whole first label, as in \"*.example.test\""},
      {"w*.example.test", "may have '*' only as its whole first label, as in \"*.example.test\""},
      {"*.*.test", "may have '*' only as its whole first label, as in \"*.example.test\""},
      {"a.*.test", "may have '*' only as its whole first label, as in \"*.example.test\""},
      {"a@b.test", "the label \"a@b\" may contain a to z, 0 to 9 and '-' only"},
      {"-a.test", "the label \"-a\" begins or ends with '-'"},
      {"a-.test", "the label \"a-\" begins or ends with '-'"},
      {"xn--.test", "the label \"xn--\" begins or ends with '-'"},
      {"192.0.2.1", "is an IP address, not a DNS name"},
      {"1", "is an IP address, not a DNS name"},
  };
  for (const auto& [name, fault] : cases) EXPECT_EQ(NameFault(name), fault) << name;
}

}  // namespace
}  // namespace keybroker::policy
