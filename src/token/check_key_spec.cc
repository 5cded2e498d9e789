#include "keybroker/token/key_pair.h"

namespace keybroker::token {

Status CheckKeySpec(const KeySpec& spec) {
  const bool rsa = spec.type == cryptoki::KeyType::kRsa;
  const bool known = rsa ? spec.bits == 2048 || spec.bits == 3072 || spec.bits == 4096
                         : spec.bits == 256 || spec.bits == 384 || spec.bits == 521;
  if (known) return {};
  return Fail(Malformed(
      (rsa ? "RSA keys have 2048, 3072 or 4096 bits" : "EC keys are on P-256, P-384 or P-521") +
      std::string("; not ") + std::to_string(spec.bits)));
}

}  // namespace keybroker::token
