// Policy's decision and DigestInfo: total, and never granted to what no TLS server needs. Input:
// key type, key size, mechanism, parameters, and the rest as data.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "fuzz/require.h"
#include "keybroker/cryptoki/mechanism.h"
#include "keybroker/policy/decision.h"
#include "keybroker/policy/tls_handshake.h"

namespace {

using namespace keybroker;
using test::Require;

// Taker takes numbers off the input; zeros when there is nothing left.
class Taker {
 public:
  Taker(const uint8_t* bytes, size_t size) : rest_(bytes, size) {}
  uint8_t Byte() {
    if (rest_.empty()) return 0;
    const uint8_t byte = rest_[0];
    rest_ = rest_.subspan(1);
    return byte;
  }
  // OneOf picks a known value, or makes one up: both kinds must be met often.
  CK_ULONG OneOf(std::initializer_list<CK_ULONG> known) {
    const uint8_t at = Byte();
    return at < known.size() ? known.begin()[at] : CK_ULONG{Byte()} << 8 | at;
  }
  std::span<const uint8_t> rest() const { return rest_; }

 private:
  std::span<const uint8_t> rest_;
};

bool IsDigestSize(size_t size) { return size == 32 || size == 48 || size == 64; }

void GrantedOnlyTo(const policy::KeyFacts& key, const policy::SignFacts& request) {
  const auto* mechanism = cryptoki::FindSignMechanism(request.mechanism);
  Require(mechanism != nullptr && mechanism->key_type == key.type);
  Require(request.pss.has_value() == (mechanism->scheme == cryptoki::Scheme::kRsaPss));
  if (request.pss) Require(IsDigestSize(request.pss->salt_length));
  if (mechanism->hashes) return;
  if (mechanism->scheme == cryptoki::Scheme::kRsaPkcs1) {
    const auto digest = cryptoki::ParseDigestInfo(request.data);
    Require(digest.has_value());
    const auto prefix = cryptoki::DigestInfoPrefix(*digest);
    Require(request.data.size() == prefix.size() + cryptoki::DigestSize(*digest));
    Require(std::equal(prefix.begin(), prefix.end(), request.data.begin()));
    Require(request.data.size() + 11 <= (key.bits + 7) / 8);
  } else {
    Require(IsDigestSize(request.data.size()));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  Taker input(bytes, size);
  policy::KeyFacts key{"k", cryptoki::KeyType::kRsa, 2048};
  if (input.Byte() % 2 == 1) key = {"k", cryptoki::KeyType::kEc, 256};
  if (const uint8_t bits = input.Byte(); bits % 4 == 0) key.bits = uint32_t{bits} * 16;
  policy::SignFacts request{};
  const uint8_t which = input.Byte();
  const auto all = cryptoki::AllSignMechanisms();
  request.mechanism = which < all.size() ? all[which].type : CK_MECHANISM_TYPE{which};
  if (input.Byte() % 2 == 1) {
    policy::PssFacts pss{};
    pss.hash = input.OneOf({CKM_SHA256, CKM_SHA384, CKM_SHA512, CKM_SHA_1});
    pss.mgf = input.OneOf({CKG_MGF1_SHA256, CKG_MGF1_SHA384, CKG_MGF1_SHA512, CKG_MGF1_SHA1});
    pss.salt_length = static_cast<uint32_t>(input.OneOf({32, 48, 64, 20}));
    request.pss = pss;
  }
  request.data = input.rest();
  if (policy::CheckShape(key, request) == policy::Reason::kGranted) GrantedOnlyTo(key, request);

  if (policy::IsTlsHandshakeMessage(request.data)) {
    // All messages of a TLS server's handshake are of these sizes (tests/unit/policy).
    const size_t length = request.data.size();
    Require(length == 130 || length == 146 || length == 133 || length == 165 || length == 201 ||
            length == 100 || length == 124);
  }

  policy::Listener listener;
  listener.name = "l";
  listener.bindings.push_back({"k", std::nullopt, {}, {request.mechanism}});
  const auto reason = policy::DecideMechanism(listener, &key, request.mechanism);
  const auto permitted = policy::PermittedMechanisms(listener, key);
  Require((reason == policy::Reason::kGranted) == !permitted.empty());
  Require(!policy::Explain(reason, listener, "k", request.mechanism).empty());
  return 0;
}
