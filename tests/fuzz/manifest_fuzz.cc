// A manifest that is accepted is spelled exactly as we would write it. Input: the manifest.
#include <cstdint>
#include <string_view>

#include "fuzz/require.h"
#include "keybroker/backup/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace keybroker::backup;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  const auto manifest = ParseManifest(text);
  if (!manifest) return 0;
  keybroker::test::Require(FormatManifest(*manifest) == text);
  return 0;
}
