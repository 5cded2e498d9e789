#include <algorithm>

#include "keybroker/policy/listener.h"

namespace keybroker::policy {
namespace {

constexpr size_t kMaxKeyName = 253;  // RFC 1035 section 2.3.4, as text without the final dot
constexpr size_t kMaxLabel = 63;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (IsUpper(c)) c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

// CharacterFault names what is wrong with the characters of the whole name; empty when all are
// legal. It comes before the labels, because it has the better advice.
std::string CharacterFault(std::string_view name) {
  const auto any = [name](auto test) { return std::any_of(name.begin(), name.end(), test); };
  if (any([](char c) { return static_cast<unsigned char>(c) >= 0x80; })) {
    return "has characters outside ASCII; write it in A-labels (\"xn--...\", RFC 5890)";
  }
  if (any([](char c) { return static_cast<unsigned char>(c) < 0x21 || c == 0x7f; })) {
    return "contains a space or a control character";
  }
  if (any([](char c) { return c == ':' || c == '/'; })) {
    return "is an address or a URL; give the DNS name alone";
  }
  if (any([](char c) { return c == '_'; })) return "contains '_', which no host name may have";
  if (any(IsUpper)) return "has upper-case letters; write it as \"" + Lower(name) + "\"";
  return {};
}

std::string LabelFault(std::string_view label) {
  const std::string quoted = "the label \"" + std::string(label) + "\" ";
  if (label.empty()) return "has an empty label (two dots in a row, or one in front)";
  if (label.size() > kMaxLabel) return quoted + "is longer than 63 characters";
  for (const char c : label) {
    if (c == '*') return "may have '*' only as its whole first label, as in \"*.example.test\"";
    if (!IsLower(c) && !IsDigit(c) && c != '-') {
      return quoted + "may contain a to z, 0 to 9 and '-' only";
    }
  }
  if (label.front() == '-' || label.back() == '-') return quoted + "begins or ends with '-'";
  return {};
}

std::string Fault(std::string_view name) {
  constexpr std::string_view kWildcard = "*.";
  if (name.empty()) return "is empty";
  if (name.size() > kMaxKeyName) return "is longer than 253 characters";
  if (auto fault = CharacterFault(name); !fault.empty()) return fault;
  if (name.back() == '.') return "ends with a dot; leave it out";
  if (name.substr(0, kWildcard.size()) == kWildcard) name.remove_prefix(kWildcard.size());
  std::string_view label;
  for (std::string_view rest = name;;) {
    const size_t dot = rest.find('.');
    label = rest.substr(0, dot);
    if (auto fault = LabelFault(label); !fault.empty()) return fault;
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  // RFC 1123 section 2.1: a host name's last label is never all digits, an IPv4 address's always.
  if (std::all_of(label.begin(), label.end(), IsDigit)) return "is an IP address, not a DNS name";
  return {};
}

}  // namespace

Status CheckKeyName(std::string_view name) {
  const std::string fault = Fault(name);
  if (fault.empty()) return {};
  return Fail(
      Malformed("the key name \"" + std::string(name.substr(0, kMaxKeyName)) + "\" " + fault));
}

}  // namespace keybroker::policy
