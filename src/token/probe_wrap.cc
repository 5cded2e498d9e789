#include <algorithm>
#include <array>
#include <optional>
#include <utility>

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

// Unwraps says whether the mechanism unwraps what OpenSSL wrapped; else what it did.
Result<std::string> Unwraps(const Session& session, const WrapMechanism& how, const Kek& kek,
                            const std::vector<uint8_t>& answer) {
  const Attributes back = SecretTemplate();
  KB_ASSIGN(const CK_OBJECT_HANDLE object, kek.Unwrap(how, IvOf(how.algorithm), answer, back));
  const auto value = session.Read(object, CKA_VALUE);
  static_cast<void>(session.Destroy(object));
  KB_TRY(value);
  const bool same =
      *value && std::equal((*value)->begin(), (*value)->end(), kKnownKey.begin(), kKnownKey.end());
  return same ? std::string() : std::string("unwrapped to something else");
}

// Tries says whether the mechanism does what OpenSSL does, back and, where a known key is there to
// be wrapped, there; else what it did.
Result<std::string> Tries(const Session& session, const WrapMechanism& how, const Kek& kek,
                          std::optional<CK_OBJECT_HANDLE> known,
                          const std::vector<uint8_t>& answer) {
  if (known) {
    KB_ASSIGN(const auto wrapped, kek.Wrap(how, IvOf(how.algorithm), *known));
    if (wrapped != answer) return std::string("another algorithm");
  }
  return Unwraps(session, how, kek, answer);
}

std::string Line(const WrapMechanism& how, const Result<std::string>& tried, const char* good) {
  const std::string what = std::string(WrapAlgorithmName(how.algorithm)) + " by " +
                           cryptoki::MechanismName(how.type) + ": ";
  if (!tried) return what + tried.error().detail;
  return what + (tried->empty() ? good : *tried);
}

enum class Directions { kBoth, kUnwrap };

// KnownAnswers is both probes. What kept it from trying anything is the error.
Result<std::vector<WrapMechanism>> KnownAnswers(const Session& session, Directions directions,
                                                std::vector<std::string>* lines) {
  std::array<uint8_t, kKekSize> known_kek{};
  for (size_t i = 0; i < known_kek.size(); ++i) known_kek[i] = static_cast<uint8_t>(i);
  KB_ASSIGN(const Secret secret, Secret::CopyFrom(Bytes(known_kek)));
  KB_ASSIGN(const Secret value, Secret::CopyFrom(Bytes(kKnownKey)));
  KB_ASSIGN(const Kek kek, Kek::Create(session, secret));
  std::optional<CK_OBJECT_HANDLE> known;
  if (directions == Directions::kBoth) {
    KB_ASSIGN(known, session.CreateSecret(SecretTemplate(), value));
  }
  std::vector<WrapMechanism> found;
  for (const WrapMechanism& how : kCandidates) {
    const auto answer = HostWrap(how.algorithm, secret, IvOf(how.algorithm), kKnownKey);
    const auto tried = answer ? Tries(session, how, kek, known, *answer)
                              : Result<std::string>(Fail(answer.error()));
    lines->push_back(
        Line(how, tried, known ? "known answer, there and back" : "a known key, unwrapped"));
    const bool have = std::any_of(found.begin(), found.end(), [&](const WrapMechanism& other) {
      return other.algorithm == how.algorithm;
    });
    if (tried && tried->empty() && !have) found.push_back(how);
  }
  if (known) static_cast<void>(session.Destroy(*known));
  return found;
}

std::vector<WrapMechanism> FoundBy(const Session& session, Directions directions,
                                   std::vector<std::string>* evidence) {
  std::vector<std::string> lines;
  auto found = KnownAnswers(session, directions, &lines);
  if (!found) lines.push_back(found.error().detail);
  if (evidence != nullptr) evidence->insert(evidence->end(), lines.begin(), lines.end());
  return found ? std::move(*found) : std::vector<WrapMechanism>();
}

}  // namespace

std::span<const WrapMechanism> KnownWraps() { return kCandidates; }

std::vector<WrapMechanism> ProbeWrap(const Session& session, std::vector<std::string>* evidence) {
  return FoundBy(session, Directions::kBoth, evidence);
}

std::vector<WrapMechanism> ProbeUnwrap(const Session& session, std::vector<std::string>* evidence) {
  return FoundBy(session, Directions::kUnwrap, evidence);
}

}  // namespace keybroker::token
