#pragma once

#include <string>

#include "keybroker/backup/cms.h"
#include "keybroker/credential/sign_message.h"

namespace keybroker::backup {

// OaepAlgorithm is the AlgorithmIdentifier of RSAES-OAEP with the digest (RFC 4055 section 4.1).
std::string OaepAlgorithm(token::OaepHash hash);

// EncodeSigned is the file as it is written: a ContentInfo of SignedData around a ContentInfo of
// EnvelopedData. A file that is read must come out the same.
Result<std::string> EncodeSigned(const Backup& backup);

inline credential::PublicKey KeyOf(const Manifest& manifest) {
  return {manifest.type, manifest.bits, manifest.spki};
}

}  // namespace keybroker::backup
