#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/token/session.h"

namespace keybroker::credential {

// Certificate is an X.509 certificate (RFC 5280) taken apart as far as keybroker needs it. The text
// fields come from whoever made it: they are escaped, yet never to be trusted.
struct Certificate {
  std::vector<uint8_t> der;
  std::string subject;   // RFC 4514
  std::string issuer;    // RFC 4514
  std::string serial;    // hexadecimal
  int64_t not_before{};  // seconds since 1970-01-01 UTC
  int64_t not_after{};
  std::vector<std::string> dns_names;  // subjectAltName
  std::vector<uint8_t> spki;           // DER SubjectPublicKeyInfo
  bool self_issued = false;            // subject and issuer are the same
};

// ParseCertificate takes one DER certificate; Malformed when it is anything else.
Result<Certificate> ParseCertificate(token::Bytes der);

// ParseCertificates reads a PEM file's certificates in their order, or one DER certificate. Other
// PEM blocks and text between them are passed over. Malformed when there is no certificate or one
// does not parse; the message says which.
Result<std::vector<Certificate>> ParseCertificates(std::string_view text);

// FormatCertificates writes them as PEM, one after the other.
std::string FormatCertificates(const std::vector<Certificate>& certificates);

// FitsName tells whether the certificate is for the key name: by a subjectAltName, wildcards as
// RFC 6125 section 6.4.3 has them; the subject's common name does not count. A wildcard key name
// fits the same wildcard only.
bool FitsName(const Certificate& certificate, std::string_view name);

// NameText is a DER Name as text (RFC 4514), escaped like a certificate's; empty when it is none.
std::string NameText(token::Bytes der);

// FormatTime is seconds since 1970 as "2026-11-23T20:51:08Z".
std::string FormatTime(int64_t seconds);

}  // namespace keybroker::credential
