#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/credential/certificate.h"
#include "keybroker/credential/reference_format.h"

namespace keybroker::credential {

// FormatReferenceFile writes the reference file (docs/reference-file.md): the reference as a PKCS#8
// "PRIVATE KEY" block for our engine, then the chain, so that one rename changes both. It is read
// back and compared before it returns. Malformed when id or socket cannot stand in a reference.
Result<std::string> FormatReferenceFile(const Reference& reference,
                                        const std::vector<Certificate>& chain);

// ParseReferenceFile reads the reference of such a file, whatever follows it.
Result<Reference> ParseReferenceFile(std::string_view text);

// FormatProviderFile writes the URI file that OpenSSL's pkcs11-provider reads: a block "PKCS#11
// PROVIDER URI" of SEQUENCE { VisibleString, UTF8String }, then the chain. The socket cannot stand
// in it: the provider's module finds it by itself.
Result<std::string> FormatProviderFile(const Reference& reference,
                                       const std::vector<Certificate>& chain);

}  // namespace keybroker::credential
