// write_reference ID_HEX [SOCKET]: prints the reference file of a key, made from the format's own
// constants, for tests that need no token to make one.
#include <openssl/evp.h>

#include <cstdio>
#include <string>

#include "keybroker/credential/reference_format.h"

int main(int count, char** arguments) {
  if (count < 2) return 2;
  keybroker::credential::Reference reference;
  std::string hex = arguments[1];
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    reference.id += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  if (count > 2) reference.socket = arguments[2];
  auto uri = keybroker::credential::FormatReferenceUri(reference);
  if (!uri) return 1;
  std::string der = keybroker::credential::FormatReferenceDer(*uri);
  std::string text(4 * (der.size() / 3 + 2), '\0');
  int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                             reinterpret_cast<const unsigned char*>(der.data()),
                             static_cast<int>(der.size()));
  text.resize(static_cast<size_t>(size));
  puts("-----BEGIN PRIVATE KEY-----");
  for (size_t at = 0; at < text.size(); at += 64) puts(text.substr(at, 64).c_str());
  puts("-----END PRIVATE KEY-----");
}
