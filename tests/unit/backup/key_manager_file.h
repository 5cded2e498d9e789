#pragma once

#include <string>
#include <string_view>

namespace keybroker::backup::test {

// KeyManagerSpec says what WriteKeyManagerFile writes. All of it is raw bytes.
struct KeyManagerSpec {
  std::string pkcs8;  // DER PrivateKeyInfo of an RSA key
  std::string password;
  bool sgc = false;         // the variant with SGCKEYSALT
  std::string before;       // what newer IIS puts in front
  std::string certificate;  // DER; empty: none
  std::string after;
};

// WriteKeyManagerFile is a writer of the Key Manager's backup file from docs/import.md alone: RC4
// is written out here, and nothing of what reads the format is used.
std::string WriteKeyManagerFile(const KeyManagerSpec& spec);

}  // namespace keybroker::backup::test
