#pragma once

#include <string_view>

#include "credential/openssl.h"
#include "keybroker/base/result.h"

namespace keybroker::credential {

// ParseSubject reads a distinguished name as RFC 4514 section 2 writes it, the most specific part
// first: "CN=mail.example.test,O=Example\, Inc.,C=DE". One attribute to a part; "+" is refused.
// Empty text is the empty name.
Result<X509NamePtr> ParseSubject(std::string_view text);

}  // namespace keybroker::credential
