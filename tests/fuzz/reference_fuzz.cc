// Reference URIs parse one way only: whatever is accepted is spelled exactly as we would write it,
// and holds nothing that a socket address or CKA_ID could not. Input: the URI.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "keybroker/credential/reference_format.h"

namespace {
void Require(bool holds) {
  if (!holds) abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace keybroker::credential;
  std::string_view text(reinterpret_cast<const char*>(bytes), size);
  // The middle of a URI is what is worth mutating: fuzz it between fixed ends, too.
  std::string framed = std::string(kReferenceUriHead) + std::string(text);
  for (std::string_view uri : {text, std::string_view(framed)}) {
    auto reference = ParseReferenceUri(uri);
    if (!reference) continue;
    Require(uri.size() <= kReferenceMaxUri);
    Require(!reference->id.empty() && reference->id.size() <= kReferenceMaxId);
    Require(reference->socket.empty() || IsReferenceSocket(reference->socket));
    Require(FormatReferenceUri(*reference) == uri);
    Require(FormatReferenceDer(uri).size() > uri.size());
  }
  return 0;
}
