#include "credential/subject.h"

#include <openssl/objects.h>

#include <string>
#include <utility>
#include <vector>

#include "keybroker/base/hex.h"

namespace keybroker::credential {
namespace {

struct Part {
  std::string type;
  std::string value;
};

Error Bad(std::string_view why) {
  return Malformed("the subject is not a distinguished name: " + std::string(why) +
                   ". Write it like CN=mail.example.test,O=Example,C=DE");
}

// TakeEscape reads what follows a backslash: a special character or two hexadecimal digits.
Result<char> TakeEscape(std::string_view& rest) {
  constexpr std::string_view kSpecial = ",+\"\\<>;=# ";
  if (rest.empty()) return Fail(Bad("it ends in a backslash"));
  if (kSpecial.find(rest[0]) != std::string_view::npos) {
    const char c = rest[0];
    rest.remove_prefix(1);
    return c;
  }
  const auto byte = ParseHex(rest.substr(0, 2));
  if (!byte || byte->size() != 1 || (*byte)[0] == 0)
    return Fail(Bad("a backslash escapes nothing"));
  rest.remove_prefix(2);
  return static_cast<char>((*byte)[0]);
}

Result<Part> TakePart(std::string_view& rest) {
  Part part;
  while (!rest.empty() && rest[0] == ' ') rest.remove_prefix(1);
  const size_t equals = rest.find('=');
  if (equals == std::string_view::npos || equals == 0) return Fail(Bad("a part has no TYPE="));
  part.type = std::string(rest.substr(0, equals));
  rest.remove_prefix(equals + 1);
  while (!rest.empty()) {
    const char c = rest[0];
    rest.remove_prefix(1);
    if (c == ',') {
      if (rest.empty()) return Fail(Bad("it ends in a comma"));
      break;
    }
    if (c == '+') return Fail(Bad("parts of several attributes (\"+\") are not supported"));
    if (c == '\\') {
      KB_ASSIGN(const char escaped, TakeEscape(rest));
      part.value += escaped;
    } else {
      part.value += c;
    }
  }
  if (part.value.empty()) return Fail(Bad(part.type + "= has no value"));
  return part;
}

}  // namespace

Result<X509NamePtr> ParseSubject(std::string_view text) {
  std::vector<Part> parts;
  while (!text.empty()) {
    KB_ASSIGN(Part part, TakePart(text));
    parts.push_back(std::move(part));
  }
  X509NamePtr name(X509_NAME_new());
  if (!name) return Fail(Internal("no memory for a name"));
  // RFC 4514 section 2.1: the text begins with the last element of the sequence.
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    const int nid = OBJ_txt2nid(part->type.c_str());
    if (nid == NID_undef) {
      return Fail(
          Bad("\"" + part->type + "\" is not an attribute type such as CN, O, OU, L, ST, C"));
    }
    if (X509_NAME_add_entry_by_NID(name.get(), nid, MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(part->value.data()),
                                   static_cast<int>(part->value.size()), -1, 0) != 1) {
      return Fail(Bad(part->type + "=" + part->value + " is refused: " + OpenSslText()));
    }
  }
  return name;
}

}  // namespace keybroker::credential
