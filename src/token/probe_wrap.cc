#include <algorithm>
#include <array>

#include "keybroker/cryptoki/names.h"
#include "keybroker/token/host_wrap.h"
#include "keybroker/token/key_wrap.h"
#include "token/find_wrap.h"

namespace keybroker::token {
namespace {

// A multiple of 8 bytes: SoftHSM 2.6.1 pads to 8 before RFC 5649 does, which is no other algorithm.
constexpr std::array<uint8_t, 24> kKnownKey = {0xc3, 0x7b, 0x7e, 0x64, 0x92, 0x58, 0x43, 0x40,
                                               0xbe, 0xd1, 0x22, 0x07, 0x80, 0x89, 0x41, 0x15,
                                               0x50, 0x68, 0xf7, 0x38, 0x00, 0x01, 0x02, 0x03};
constexpr std::array<uint8_t, kCbcIvSize> kKnownIv = {1, 2, 3, 4, 5, 6, 7, 8,
                                                      9, 8, 7, 6, 5, 4, 3, 2};

constexpr WrapMechanism kCandidates[] = {
    {WrapAlgorithm::kAesKeyWrapPad, CKM_AES_KEY_WRAP_KWP},
    {WrapAlgorithm::kAesKeyWrapPad, CKM_AES_KEY_WRAP_PAD},
    {WrapAlgorithm::kAesCbcPad, CKM_AES_CBC_PAD},
};

Bytes IvOf(WrapAlgorithm algorithm) {
  return algorithm == WrapAlgorithm::kAesCbcPad ? Bytes(kKnownIv) : Bytes();
}

Attributes SecretTemplate() {
  Attributes attributes;
  attributes.AddUlong(CKA_CLASS, CKO_SECRET_KEY)
      .AddUlong(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
      .AddBool(CKA_TOKEN, false)
      .AddBool(CKA_SENSITIVE, false)
      .AddBool(CKA_EXTRACTABLE, true);
  return attributes;
}

// Tries says whether the mechanism does what OpenSSL does, there and back; else what it did.
Result<std::string> Tries(const Session& session, const WrapMechanism& how, const Kek& kek,
                          CK_OBJECT_HANDLE known, const std::vector<uint8_t>& answer) {
  const Bytes iv = IvOf(how.algorithm);
  KB_ASSIGN(const auto wrapped, kek.Wrap(how, iv, known));
  if (wrapped != answer) return std::string("another algorithm");
  Attributes back = SecretTemplate();
  KB_ASSIGN(const CK_OBJECT_HANDLE object, kek.Unwrap(how, iv, answer, back));
  const auto value = session.Read(object, CKA_VALUE);
  static_cast<void>(session.Destroy(object));
  KB_TRY(value);
  const bool same =
      *value && std::equal((*value)->begin(), (*value)->end(), kKnownKey.begin(), kKnownKey.end());
  return same ? std::string() : std::string("unwrapped to something else");
}

std::string Line(const WrapMechanism& how, const Result<std::string>& tried) {
  const std::string what = std::string(WrapAlgorithmName(how.algorithm)) + " by " +
                           cryptoki::MechanismName(how.type) + ": ";
  if (!tried) return what + tried.error().detail;
  return what + (tried->empty() ? "known answer, there and back" : *tried);
}

}  // namespace

std::span<const WrapMechanism> KnownWraps() { return kCandidates; }

std::vector<WrapMechanism> ProbeWrap(const Session& session, std::vector<std::string>* evidence) {
  std::array<uint8_t, kKekSize> known_kek{};
  for (size_t i = 0; i < known_kek.size(); ++i) known_kek[i] = static_cast<uint8_t>(i);
  std::vector<WrapMechanism> found;
  const auto note = [&](std::string line) {
    if (evidence != nullptr) evidence->push_back(std::move(line));
  };
  const auto secret = Secret::CopyFrom(Bytes(known_kek));
  const auto value = Secret::CopyFrom(Bytes(kKnownKey));
  if (!secret || !value) return found;
  const auto kek = Kek::Create(session, *secret);
  if (!kek) {
    note(kek.error().detail);
    return found;
  }
  const auto known = session.CreateSecret(SecretTemplate(), *value);
  if (!known) {
    note("a known key to wrap: " + known.error().detail);
    return found;
  }
  for (const WrapMechanism& how : kCandidates) {
    const auto answer = HostWrap(how.algorithm, *secret, IvOf(how.algorithm), kKnownKey);
    const auto tried = answer ? Tries(session, how, *kek, *known, *answer)
                              : Result<std::string>(Fail(answer.error()));
    note(Line(how, tried));
    const bool have = std::any_of(found.begin(), found.end(), [&](const WrapMechanism& other) {
      return other.algorithm == how.algorithm;
    });
    if (tried && tried->empty() && !have) found.push_back(how);
  }
  static_cast<void>(session.Destroy(*known));
  return found;
}

}  // namespace keybroker::token
