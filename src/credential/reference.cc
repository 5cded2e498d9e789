#include "keybroker/credential/reference.h"

#include <openssl/pem.h>

#include "credential/openssl.h"

namespace keybroker::credential {
namespace {

constexpr char kReferenceBlock[] = PEM_STRING_PKCS8INF;
constexpr char kProviderBlock[] = "PKCS#11 PROVIDER URI";
constexpr std::string_view kProviderVersion = "PKCS#11 Provider URI v1.0";
constexpr unsigned char kVisibleString = 0x1a;
constexpr unsigned char kUtf8String = 0x0c;
constexpr unsigned char kSequence = 0x30;

Result<std::string> Armour(const char* block, std::string_view der) {
  BioPtr out(BIO_new(BIO_s_mem()));
  char* text = nullptr;
  if (!out ||
      PEM_write_bio(out.get(), block, "", reinterpret_cast<const unsigned char*>(der.data()),
                    static_cast<long>(der.size())) <= 0) {
    return Fail(Internal("cannot write PEM: " + OpenSslText()));
  }
  const long size = BIO_get_mem_data(out.get(), &text);
  return std::string(text, static_cast<size_t>(size));
}

Result<std::string> Uri(const Reference& reference) {
  auto uri = FormatReferenceUri(reference);
  if (!uri) {
    return Fail(Malformed("the socket \"" + reference.socket +
                          "\" cannot stand in a reference: an absolute path of at most " +
                          std::to_string(kReferenceMaxSocket) +
                          " plain characters without space, comma, quote or backslash is wanted"));
  }
  return *uri;
}

}  // namespace

Result<std::string> FormatReferenceFile(const Reference& reference,
                                        const std::vector<Certificate>& chain) {
  KB_ASSIGN(const std::string uri, Uri(reference));
  KB_ASSIGN(std::string text, Armour(kReferenceBlock, FormatReferenceDer(uri)));
  KB_ASSIGN(const Reference again, ParseReferenceFile(text));
  if (again.id != reference.id || again.socket != reference.socket) {
    return Fail(Internal("the reference reads back differently"));
  }
  return text + FormatCertificates(chain);
}

Result<Reference> ParseReferenceFile(std::string_view text) {
  BioPtr in = MemoryBio(text);
  char* name = nullptr;
  char* header = nullptr;
  unsigned char* data = nullptr;
  long size = 0;
  while (in && PEM_read_bio(in.get(), &name, &header, &data, &size) == 1) {
    const bool ours = std::string_view(name) == kReferenceBlock;
    const std::string der(reinterpret_cast<const char*>(data), static_cast<size_t>(size));
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_clear_free(data, static_cast<size_t>(size));
    if (!ours) continue;
    // One spelling only: the URI is what is left when the fixed parts around it are rebuilt.
    const size_t at = der.find(kReferenceUriHead);
    const auto reference = at == std::string::npos
                               ? std::nullopt
                               : ParseReferenceUri(std::string_view(der).substr(at));
    if (!reference || FormatReferenceDer(der.substr(at)) != der) {
      return Fail(Malformed("the PRIVATE KEY block is no reference of keybroker's"));
    }
    return *reference;
  }
  OpenSslText();
  return Fail(Malformed("there is no PRIVATE KEY block in it"));
}

Result<std::string> FormatProviderFile(const Reference& reference,
                                       const std::vector<Certificate>& chain) {
  using reference_internal::DerElement;
  KB_ASSIGN(const std::string uri, Uri(Reference{reference.id, ""}));
  const std::string der = DerElement(
      kSequence, DerElement(kVisibleString, kProviderVersion) + DerElement(kUtf8String, uri));
  KB_ASSIGN(std::string text, Armour(kProviderBlock, der));
  return text + FormatCertificates(chain);
}

}  // namespace keybroker::credential
