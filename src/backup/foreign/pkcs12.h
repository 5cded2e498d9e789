#pragma once

#include <vector>

#include "backup/foreign/library.h"
#include "keybroker/backup/foreign_key.h"

namespace keybroker::backup {

// Pkcs12Content is what a PKCS#12 file of another program holds for us.
struct Pkcs12Content {
  EvpKey key;  // nullptr: it does not parse
  std::string protection;
  std::vector<std::vector<uint8_t>> certificates;  // DER
  bool has_mac = true;
};

// OpenPkcs12 checks the MAC before anything is decrypted, each derivation under the cap. Without a
// password the empty one is tried, in both its spellings (Windows and OpenSSL differ there).
KeyFileResult<Pkcs12Content> OpenPkcs12(const LegacyLibrary& library, token::Bytes bytes,
                                        const Secret* password);

}  // namespace keybroker::backup
