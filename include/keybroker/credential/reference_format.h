#pragma once

// The reference file's format (docs/reference-file.md), for the one who writes it (credential) and
// the one who reads it (the OpenSSL engine). Plain C++: the engine links nothing of ours for it.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace keybroker::credential {

// kReferenceOid is the PrivateKeyAlgorithmIdentifier of a reference (RFC 5208 section 5), made of
// a random UUID under the arc that needs no registration (ITU-T X.667):
// 08d49006-5d8a-4394-8fca-8e52c7f43f17. Its parameters are absent.
inline constexpr char kReferenceOid[] = "2.25.11737512071589868182131631441155735319";

// kReferenceOidDer is the same as DER, tag and length included.
inline constexpr unsigned char kReferenceOidDer[] = {0x06, 0x13, 0x69, 0x91, 0xd4, 0xc8, 0x81,
                                                     0xcb, 0xd8, 0xd2, 0x8e, 0xa9, 0x8f, 0xe5,
                                                     0xa3, 0xca, 0xac, 0xbf, 0xd0, 0xfe, 0x17};

// kReferenceToken is the label of the token that the keybroker module shows.
inline constexpr std::string_view kReferenceToken = "keybroker";

// Limits, in bytes. A socket path is bounded by sockaddr_un's sun_path (107 and its NUL).
inline constexpr size_t kReferenceMaxUri = 1024;
inline constexpr size_t kReferenceMaxId = 64;
inline constexpr size_t kReferenceMaxSocket = 107;

// The URI's fixed parts (RFC 7512), in the one order that is accepted.
inline constexpr std::string_view kReferenceUriHead = "pkcs11:token=keybroker;id=";
inline constexpr std::string_view kReferenceUriType = ";type=private";
inline constexpr std::string_view kReferenceUriSocket = "?x-keybroker-socket=";

// Reference is what a reference file says: which key, and at which listener's socket.
struct Reference {
  std::string id;      // CKA_ID, raw bytes, 1 to kReferenceMaxId
  std::string socket;  // absolute path; empty: the module's own default
};

// IsReferenceSocket tells whether path may stand in a reference: absolute, at most
// kReferenceMaxSocket bytes, printable ASCII without space, comma or quotes, which the strings that
// carry it to a module (NSS parameters, OpenSSL configurations) give a meaning.
inline bool IsReferenceSocket(std::string_view path) {
  if (path.empty() || path.size() > kReferenceMaxSocket || path.front() != '/') return false;
  for (char c : path) {
    if (c <= ' ' || c > '~' || c == ',' || c == '"' || c == '\'' || c == '\\') return false;
  }
  return true;
}

namespace reference_internal {

inline constexpr std::string_view kHexDigits = "0123456789ABCDEF";

// RFC 3986 section 2.3: what a canonical URI never encodes.
inline bool IsUnreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

inline void AppendEncoded(char c, std::string& out) {
  auto byte = static_cast<unsigned char>(c);
  out += '%';
  out += kHexDigits[byte >> 4];
  out += kHexDigits[byte & 15U];
}

// Takes one "%XX" off the front; nothing when it is not there or not in upper case.
inline std::optional<char> TakeEncoded(std::string_view& text) {
  if (text.size() < 3 || text[0] != '%') return std::nullopt;
  size_t high = kHexDigits.find(text[1]);
  size_t low = kHexDigits.find(text[2]);
  if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
  text.remove_prefix(3);
  return static_cast<char>(static_cast<unsigned char>(high << 4 | low));
}

// DER's definite length (X.690 section 8.1.3) and contents, for contents below 65,536 bytes.
inline std::string DerElement(unsigned char tag, std::string_view contents) {
  std::string out(1, static_cast<char>(tag));
  size_t size = contents.size();
  if (size > 0xff) {
    out += static_cast<char>(0x82);
    out += static_cast<char>(size >> 8);
  } else if (size > 0x7f) {
    out += static_cast<char>(0x81);
  }
  out += static_cast<char>(size & 0xff);
  return out.append(contents);
}

inline bool TakePrefix(std::string_view& text, std::string_view prefix) {
  if (text.substr(0, prefix.size()) != prefix) return false;
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace reference_internal

// FormatReferenceUri is the reference's one spelling: every byte of the id as %XX, in the socket
// all but RFC 3986's unreserved characters, hexadecimal digits in upper case. Nothing when id or
// socket are not what a reference may hold.
inline std::optional<std::string> FormatReferenceUri(const Reference& reference) {
  if (reference.id.empty() || reference.id.size() > kReferenceMaxId) return std::nullopt;
  if (!reference.socket.empty() && !IsReferenceSocket(reference.socket)) return std::nullopt;
  std::string uri(kReferenceUriHead);
  for (char c : reference.id) reference_internal::AppendEncoded(c, uri);
  uri += kReferenceUriType;
  if (reference.socket.empty()) return uri;
  uri += kReferenceUriSocket;
  for (char c : reference.socket) {
    if (reference_internal::IsUnreserved(c)) {
      uri += c;
    } else {
      reference_internal::AppendEncoded(c, uri);
    }
  }
  return uri;
}

// ParseReferenceUri reads exactly what FormatReferenceUri writes; any other byte, order or spelling
// gives nothing. text may be hostile and of any length.
inline std::optional<Reference> ParseReferenceUri(std::string_view text) {
  using namespace reference_internal;
  std::string_view rest = text;
  if (text.size() > kReferenceMaxUri || !TakePrefix(rest, kReferenceUriHead)) return std::nullopt;
  Reference reference;
  while (auto c = TakeEncoded(rest)) reference.id += *c;
  if (!TakePrefix(rest, kReferenceUriType)) return std::nullopt;
  if (TakePrefix(rest, kReferenceUriSocket)) {
    while (!rest.empty()) {
      if (auto c = TakeEncoded(rest)) {
        reference.socket += *c;
      } else {
        reference.socket += rest.front();
        rest.remove_prefix(1);
      }
    }
  }
  // One rule for both directions: what is not spelled as we would spell it is refused.
  if (!rest.empty() || FormatReferenceUri(reference) != text) return std::nullopt;
  return reference;
}

// FormatReferenceDer is the whole PrivateKeyInfo (RFC 5208 section 5) that the file's PEM armour
// "PRIVATE KEY" encloses: version 0, the algorithm kReferenceOid without parameters, the URI as the
// private key's octets, no attributes.
inline std::string FormatReferenceDer(std::string_view uri) {
  using reference_internal::DerElement;
  std::string algorithm(sizeof kReferenceOidDer, '\0');
  for (size_t i = 0; i < sizeof kReferenceOidDer; ++i) {
    algorithm[i] = static_cast<char>(kReferenceOidDer[i]);
  }
  return DerElement(0x30, DerElement(0x02, std::string_view("\0", 1)) +
                              DerElement(0x30, algorithm) + DerElement(0x04, uri));
}

}  // namespace keybroker::credential
