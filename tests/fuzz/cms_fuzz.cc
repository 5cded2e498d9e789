// Whatever a CMS file holds, what is taken out of it lies within it; and what a reader accepts
// comes out the same when it is encoded again. Input: the file.
#include <cstdint>
#include <string_view>

#include "backup/cms/encode.h"
#include "backup/cms/parts.h"
#include "backup/cms/read_cms.h"
#include "fuzz/require.h"

namespace {

template <typename View>
void RequireWithin(const View& part, std::string_view whole) {
  const auto* begin = reinterpret_cast<const char*>(part.data());
  keybroker::test::Require(part.empty() || (begin >= whole.data() &&
                                            begin + part.size() <= whole.data() + whole.size()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace keybroker::backup;
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  if (const auto parts = TakeApart(text)) {
    RequireWithin(parts->manifest, text);
    RequireWithin(parts->recipients, text);
    RequireWithin(parts->encryption, text);
    RequireWithin(parts->wrapped, text);
    RequireWithin(parts->signature, text);
    for (const auto& each : parts->certificates) RequireWithin(each, text);
    for (const auto& each : parts->certificate_hashes) RequireWithin(each, text);
  }
  if (const auto backup = ReadCms(text)) {
    keybroker::test::Require(*EncodeSigned(*backup) == text);
  }
  return 0;
}
