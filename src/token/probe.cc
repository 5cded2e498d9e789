#include "keybroker/token/probe.h"

#include <algorithm>
#include <chrono>

#include "keybroker/base/joined.h"
#include "keybroker/cryptoki/names.h"
#include "keybroker/token/key_wrap.h"
#include "token/generate_pair.h"
#include "token/sign_once.h"

namespace keybroker::token {
namespace {

using cryptoki::KeyType;

// One key name for everything the probe makes, so that a reader of a token's log knows it.
constexpr const char* kProbeLabel = "keybroker-probe";

std::string Outcome(const char* call, const Status& status) {
  if (status) return std::string(call) + ": CKR_OK";
  if (status.error().rv != 0) return std::string(call) + ": " + cryptoki::RvName(status.error().rv);
  return status.error().detail;
}

template <typename T>
Status StatusOf(const Result<T>& result) {
  if (result) return {};
  return Fail(result.error());
}

// Prober collects the facts; each Measure function fills one field of the profile.
class Prober {
 public:
  explicit Prober(const Session& session) : session_(session) {}

  void MeasureSizes();
  void MeasureAllowedMechanisms();
  void MeasurePublicKeyInfo();
  void MeasureHashAndSign();
  void MeasureWrap();
  ProbeResult Take() { return std::move(result_); }

 private:
  bool Makes(KeyType type, unsigned bits);
  void Note(const char* field, std::string value, std::string evidence) {
    result_.lines.push_back({field, std::move(value), std::move(evidence)});
  }
  void Destroy(const KeyPair& key) { (void)DeleteKey(session_, key); }
  Profile& profile() { return result_.profile; }

  const Session& session_;
  ProbeResult result_;
};

bool Prober::Makes(KeyType type, unsigned bits) {
  const auto key = GeneratePair(session_, Profile{}, {type, bits, kProbeLabel, false}, false);
  const std::string what = std::string(cryptoki::KeyTypeName(type)) + "-" + std::to_string(bits);
  Note(type == KeyType::kRsa ? "rsa_bits" : "ec_curves", what + (key ? " yes" : " no"),
       Outcome("generated, CKA_ID changed, signed and verified", StatusOf(key)));
  if (key) Destroy(*key);
  return key.has_value();
}

void Prober::MeasureSizes() {
  for (const unsigned bits : {2048U, 3072U, 4096U}) {
    if (Makes(KeyType::kRsa, bits)) profile().rsa_bits.push_back(bits);
  }
  for (const unsigned bits : {256U, 384U, 521U}) {
    if (Makes(KeyType::kEc, bits)) profile().ec_curves.push_back("P-" + std::to_string(bits));
  }
  // GeneratePair changes CKA_ID after generation and reads it back.
  profile().id_at_generation = !profile().rsa_bits.empty() || !profile().ec_curves.empty();
  Note("id_at_generation", profile().id_at_generation ? "true" : "false",
       "CKA_ID set by C_SetAttributeValue after C_GenerateKeyPair, read back on both objects");
}

void Prober::MeasureAllowedMechanisms() {
  Profile wanted;
  wanted.allowed_mechanisms = true;
  const auto key = GeneratePair(session_, wanted, {KeyType::kRsa, 2048, kProbeLabel, false}, false);
  if (!key) {
    Note("allowed_mechanisms", "false",
         Outcome("C_GenerateKeyPair with CKA_ALLOWED_MECHANISMS", StatusOf(key)));
    return;
  }
  const std::vector<uint8_t> block(2048 / 8, 0);
  const Status refused =
      StatusOf(SignOnce(session_, key->private_key, {CKM_RSA_X_509, std::nullopt, block}));
  profile().allowed_mechanisms = !refused && refused.error().rv == CKR_MECHANISM_INVALID;
  Note("allowed_mechanisms", profile().allowed_mechanisms ? "true" : "false",
       Outcome("C_Sign by CKM_RSA_X_509, which the list leaves out", refused));
  Destroy(*key);
}

void Prober::MeasurePublicKeyInfo() {
  const auto key =
      GeneratePair(session_, Profile{}, {KeyType::kEc, 256, kProbeLabel, false}, false);
  if (!key) return Note("public_key_info", "false", Outcome("P-256 generated", StatusOf(key)));
  const auto info = session_.Read(key->private_key, CKA_PUBLIC_KEY_INFO);
  profile().public_key_info = info && info->has_value() && **info == key->spki;
  Note("public_key_info", profile().public_key_info ? "true" : "false",
       info && info->has_value()
           ? "CKA_PUBLIC_KEY_INFO of the private key: " + std::to_string((*info)->size()) + " bytes"
           : "CKA_PUBLIC_KEY_INFO of the private key: none");
  Destroy(*key);
}

void Prober::MeasureHashAndSign() {
  const auto rsa =
      GeneratePair(session_, Profile{}, {KeyType::kRsa, 2048, kProbeLabel, false}, false);
  const auto ec = GeneratePair(session_, Profile{}, {KeyType::kEc, 256, kProbeLabel, false}, false);
  const std::vector<uint8_t> message(100, 'm');
  std::string evidence;
  bool all = rsa.has_value() || ec.has_value();
  for (const cryptoki::SignMechanism& mechanism : cryptoki::AllSignMechanisms()) {
    const auto& key = mechanism.key_type == KeyType::kRsa ? rsa : ec;
    if (!mechanism.hashes || !key) continue;
    SignCall call{mechanism.type, std::nullopt, message};
    if (mechanism.scheme == cryptoki::Scheme::kRsaPss) {
      const auto salt = static_cast<uint32_t>(cryptoki::DigestSize(mechanism.digest));
      call.pss = PssParameters{mechanism.digest, salt};
    }
    const Status status = StatusOf(SignOnce(session_, key->private_key, call));
    all = all && status.has_value();
    evidence += (evidence.empty() ? "" : "; ") + Outcome(mechanism.name, status);
  }
  profile().hash_and_sign = all;
  Note("hash_and_sign", all ? "true" : "false", evidence);
  if (rsa) Destroy(*rsa);
  if (ec) Destroy(*ec);
}

void Prober::MeasureWrap() {
  std::vector<std::string> lines;
  std::string names;
  for (const WrapMechanism& how : ProbeWrap(session_, &lines)) {
    profile().wrap.emplace_back(WrapAlgorithmName(how.algorithm));
    names += (names.empty() ? "" : ", ") + profile().wrap.back();
  }
  if (names.empty() && !ProbeUnwrap(session_, &lines).empty()) {
    names = "none, but lets keys in: key generate --backup-at-birth";
  }
  Note("wrap", names.empty() ? "none" : names, Joined(lines));
}

}  // namespace

Result<ProbeResult> Probe(const Token& token) {
  // Read-only: the key pairs are objects of the session, and go with it.
  KB_ASSIGN(const Session session, token.OpenSession(false));
  Prober prober(session);
  prober.MeasureSizes();
  prober.MeasureAllowedMechanisms();
  prober.MeasurePublicKeyInfo();
  prober.MeasureHashAndSign();
  prober.MeasureWrap();
  ProbeResult result = prober.Take();
  result.profile.model = token.info().manufacturer + " " + token.info().model;
  return result;
}

}  // namespace keybroker::token
