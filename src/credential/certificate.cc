#include "keybroker/credential/certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <time.h>

#include <utility>

#include "credential/openssl.h"

namespace keybroker::credential {
namespace {

std::string TextOfName(const X509_NAME* name) {
  BioPtr out(BIO_new(BIO_s_mem()));
  if (!out || X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0) {
    return {};
  }
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return size > 0 ? std::string(text, static_cast<size_t>(size)) : std::string();
}

Result<int64_t> Seconds(const ASN1_TIME* when) {
  tm parts{};
  if (ASN1_TIME_to_tm(when, &parts) != 1) return Fail(Malformed("a validity date does not parse"));
  return int64_t{::timegm(&parts)};
}

// A name with a NUL or a control character in it is no name at all: it is left out, so that no
// reader takes its beginning for the whole.
std::vector<std::string> DnsNames(const X509* certificate) {
  std::vector<std::string> names;
  GeneralNamesPtr all(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    int type = 0;
    void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(all.get(), i), &type);
    if (type != GEN_DNS) continue;
    const auto* text = static_cast<const ASN1_IA5STRING*>(value);
    const std::string name(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                           static_cast<size_t>(ASN1_STRING_length(text)));
    bool plain = !name.empty();
    for (char c : name) plain = plain && c > ' ' && c <= '~';
    if (plain) names.push_back(name);
  }
  return names;
}

std::string SerialText(const X509* certificate) {
  const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate);
  std::string text;
  constexpr char kDigits[] = "0123456789abcdef";
  for (int i = 0; i < ASN1_STRING_length(serial); ++i) {
    const unsigned char byte = ASN1_STRING_get0_data(serial)[i];
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

template <typename T, typename Encode>
std::vector<uint8_t> Der(const T* thing, Encode encode) {
  unsigned char* bytes = nullptr;
  const int size = encode(thing, &bytes);
  if (size <= 0) return {};
  std::vector<uint8_t> der(bytes, bytes + size);
  OPENSSL_free(bytes);
  return der;
}

Result<Certificate> Describe(X509* x509) {
  Certificate out;
  out.der = Der(x509, [](const X509* x, unsigned char** to) { return i2d_X509(x, to); });
  out.spki = Der(X509_get_X509_PUBKEY(x509), [](const X509_PUBKEY* key, unsigned char** to) {
    return i2d_X509_PUBKEY(key, to);
  });
  if (out.der.empty() || out.spki.empty()) {
    return Fail(Malformed("the certificate cannot be encoded: " + OpenSslText()));
  }
  out.subject = TextOfName(X509_get_subject_name(x509));
  out.issuer = TextOfName(X509_get_issuer_name(x509));
  out.serial = SerialText(x509);
  KB_ASSIGN(out.not_before, Seconds(X509_get0_notBefore(x509)));
  KB_ASSIGN(out.not_after, Seconds(X509_get0_notAfter(x509)));
  out.dns_names = DnsNames(x509);
  out.self_issued = X509_NAME_cmp(X509_get_subject_name(x509), X509_get_issuer_name(x509)) == 0;
  return out;
}

Result<std::vector<Certificate>> ParsePem(std::string_view text) {
  std::vector<Certificate> all;
  BioPtr in = MemoryBio(text);
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  while (in && PEM_read_bio(in.get(), &name, &header, &data, &size) == 1) {
    const std::string_view kind(name);
    const bool wanted = kind == PEM_STRING_X509 || kind == PEM_STRING_X509_OLD;
    auto one = wanted ? ParseCertificate({data, static_cast<size_t>(size)}) : Certificate{};
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_clear_free(data, static_cast<size_t>(size));
    if (!one) {
      return Fail(Malformed("certificate " + std::to_string(all.size() + 1) +
                            " of the file: " + one.error().detail));
    }
    if (wanted) all.push_back(std::move(*one));
  }
  OpenSslText();
  return all;
}

}  // namespace

Result<Certificate> ParseCertificate(token::Bytes der) {
  const unsigned char* at = der.data();
  X509Ptr x509(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (!x509) return Fail(Malformed("not an X.509 certificate: " + OpenSslText()));
  if (at != der.data() + der.size()) return Fail(Malformed("bytes follow the certificate"));
  return Describe(x509.get());
}

Result<std::vector<Certificate>> ParseCertificates(std::string_view text) {
  KB_ASSIGN(auto all, ParsePem(text));
  if (!all.empty()) return all;
  if (text.find("-----BEGIN") == std::string_view::npos && !text.empty() && text[0] == 0x30) {
    KB_ASSIGN(auto one,
              ParseCertificate({reinterpret_cast<const uint8_t*>(text.data()), text.size()}));
    return std::vector<Certificate>{std::move(one)};
  }
  return Fail(
      Malformed("there is no certificate in it: PEM with BEGIN CERTIFICATE, or DER, is "
                "what is wanted"));
}

std::string FormatCertificates(const std::vector<Certificate>& certificates) {
  std::string text;
  for (const Certificate& certificate : certificates) {
    BioPtr out(BIO_new(BIO_s_mem()));
    char* pem = nullptr;
    if (!out || PEM_write_bio(out.get(), PEM_STRING_X509, "", certificate.der.data(),
                              static_cast<long>(certificate.der.size())) <= 0) {
      return {};
    }
    const long size = BIO_get_mem_data(out.get(), &pem);
    text.append(pem, static_cast<size_t>(size));
  }
  return text;
}

std::string NameText(token::Bytes der) {
  const unsigned char* at = der.data();
  const X509NamePtr name(d2i_X509_NAME(nullptr, &at, static_cast<long>(der.size())));
  if (name == nullptr || at != der.data() + der.size()) {
    ERR_clear_error();
    return {};
  }
  return TextOfName(name.get());
}

bool FitsName(const Certificate& certificate, std::string_view name) {
  if (name.substr(0, 2) == "*.") {
    for (const std::string& dns : certificate.dns_names) {
      if (dns.size() == name.size() &&
          OPENSSL_strncasecmp(dns.data(), name.data(), name.size()) == 0) {
        return true;
      }
    }
    return false;
  }
  const unsigned char* at = certificate.der.data();
  X509Ptr x509(d2i_X509(nullptr, &at, static_cast<long>(certificate.der.size())));
  return x509 &&
         X509_check_host(x509.get(), name.data(), name.size(),
                         X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
                         nullptr) == 1;
}

std::string FormatTime(int64_t seconds) {
  const time_t when = seconds;
  tm parts{};
  char text[32];
  if (::gmtime_r(&when, &parts) == nullptr ||
      ::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0) {
    return "?";
  }
  return text;
}

}  // namespace keybroker::credential
