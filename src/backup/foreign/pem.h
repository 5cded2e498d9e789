#pragma once

#include <string>
#include <vector>

#include "backup/foreign/library.h"
#include "keybroker/backup/foreign_key.h"

namespace keybroker::backup {

// PemBlock is one block of a PEM file.
struct PemBlock {
  std::string name;  // "RSA PRIVATE KEY"
  std::string
      dek;  // "AES-256-CBC,HEX" of its DEK-Info; empty: not encrypted (RFC 1421 section 4.6)
  Secret der;
};

// ReadPem gives private keys and certificates of bytes, and passes over other blocks and all text
// between.
KeyFileResult<std::vector<PemBlock>> ReadPem(token::Bytes bytes);

// DecryptPem undoes the encryption that the DEK-Info names: a CBC cipher under a key made by one
// round of MD5 of password and IV.
KeyFileResult<Secret> DecryptPem(const LegacyLibrary& library, const PemBlock& block,
                                 const Secret& password);

}  // namespace keybroker::backup
