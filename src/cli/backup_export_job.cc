#include "cli/backup_export_job.h"

#include <algorithm>

#include "keybroker/base/hex.h"

namespace keybroker::cli {

Result<const token::KeyPair*> KeyOfJob(const token::KeyList& keys, const ExportJob& job) {
  const auto& manifest = job.subject.manifest;
  const auto key = std::find_if(keys.keys.begin(), keys.keys.end(),
                                [&](const auto& each) { return each.id == manifest.id; });
  if (key != keys.keys.end() && key->spki == manifest.spki) return &*key;
  return Fail(NotFound("the key has gone from the token meanwhile"));
}

Json WrappedJson(const token::WrappedKey& wrapped) {
  return {{"algorithm", token::WrapAlgorithmName(wrapped.algorithm)},
          {"iv", Hex(wrapped.iv)},
          {"bytes", Hex(wrapped.bytes)}};
}

Result<token::WrappedKey> UnpackWrapped(const Json& json) {
  if (json.contains("error")) return Fail(TokenFailed(GetText(json, "error")));
  token::WrappedKey wrapped;
  const bool cbc =
      GetText(json, "algorithm") == token::WrapAlgorithmName(token::WrapAlgorithm::kAesCbcPad);
  wrapped.algorithm = cbc ? token::WrapAlgorithm::kAesCbcPad : token::WrapAlgorithm::kAesKeyWrapPad;
  KB_ASSIGN(wrapped.iv, ParseHex(GetText(json, "iv")));
  KB_ASSIGN(wrapped.bytes, ParseHex(GetText(json, "bytes")));
  return wrapped;
}

}  // namespace keybroker::cli
