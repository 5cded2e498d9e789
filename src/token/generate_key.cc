#include <openssl/rand.h>

#include <algorithm>

#include "token/generate_pair.h"
#include "token/private_template.h"
#include "token/prove_key.h"

namespace keybroker::token {
namespace {

using cryptoki::KeyType;

// DER OIDs of the named curves (SEC 2, RFC 5480 section 2.1.1.1).
constexpr uint8_t kP256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
constexpr uint8_t kP384[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};
constexpr uint8_t kP521[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23};
constexpr uint8_t kExponent[] = {0x01, 0x00, 0x01};

Bytes CurveOid(uint32_t bits) {
  return bits == 256 ? Bytes(kP256) : bits == 384 ? Bytes(kP384) : Bytes(kP521);
}

Attributes PublicTemplate(const KeySpec& spec, Bytes id, bool on_token, bool with_verify) {
  Attributes attributes;
  attributes.AddUlong(CKA_CLASS, CKO_PUBLIC_KEY)
      .AddUlong(CKA_KEY_TYPE, cryptoki::CkKeyType(spec.type))
      .AddBool(CKA_TOKEN, on_token)
      .AddBool(CKA_PRIVATE, false)
      .Add(CKA_LABEL, spec.label)
      .Add(CKA_ID, id);
  if (with_verify) attributes.AddBool(CKA_VERIFY, true);
  if (spec.type == KeyType::kRsa) {
    attributes.AddUlong(CKA_MODULUS_BITS, spec.bits).Add(CKA_PUBLIC_EXPONENT, Bytes(kExponent));
  } else {
    attributes.Add(CKA_EC_PARAMS, CurveOid(spec.bits));
  }
  return attributes;
}

Status SetId(const Session& session, const Session::Pair& pair, Bytes id) {
  const auto value = Attributes().Add(CKA_ID, id);
  KB_TRY(session.Set(pair.public_key, value));
  return session.Set(pair.private_key, value);
}

Result<KeyPair> Finish(const Session& session, const Session::Pair& pair, const KeySpec& spec) {
  KB_ASSIGN(const KeyPair born, ReadPair(session, pair.private_key));
  KB_ASSIGN(const auto id, SubjectKeyId(born.spki));
  KB_TRY(SetId(session, pair, id));
  KB_ASSIGN(KeyPair key, ReadPair(session, pair.private_key));
  if (key.id != id) return Fail(TokenFailed("the token did not keep the CKA_ID it was given"));
  KB_TRY(CheckPrivateAttributes(session, key.private_key, spec.exportable));
  if (key.label != spec.label || key.bits != spec.bits) {
    return Fail(TokenFailed("the token made a key of another label or size"));
  }
  KB_TRY(ProveKey(session, key));
  return key;
}

// CheckProfile refuses what the token model is known not to do, before anything is made on it.
Status CheckProfile(const Profile& profile, const KeySpec& spec) {
  const std::string where = " on this token (profile \"" + profile.name + "\")";
  if (!profile.id_at_generation) {
    return Fail(TokenFailed("a key cannot be given its CKA_ID after generation" + where));
  }
  if (spec.type == KeyType::kRsa) {
    const auto& sizes = profile.rsa_bits;
    if (sizes.empty() || std::find(sizes.begin(), sizes.end(), spec.bits) != sizes.end()) return {};
    return Fail(Malformed("RSA-" + std::to_string(spec.bits) + " keys cannot be made" + where));
  }
  const auto& curves = profile.ec_curves;
  const std::string curve = "P-" + std::to_string(spec.bits);
  if (curves.empty() || std::find(curves.begin(), curves.end(), curve) != curves.end()) return {};
  return Fail(Malformed(curve + " keys cannot be made" + where));
}

}  // namespace

Result<KeyPair> GenerateKey(const Session& session, const Profile& profile, const KeySpec& spec) {
  return GeneratePair(session, profile, spec, true);
}

Result<KeyPair> GenerateSessionKey(const Session& session, const Profile& profile,
                                   const KeySpec& spec) {
  return GeneratePair(session, profile, spec, false);
}

Result<KeyPair> GeneratePair(const Session& session, const Profile& profile, const KeySpec& spec,
                             bool on_token) {
  KB_TRY(CheckKeySpec(spec));
  KB_TRY(CheckProfile(profile, spec));
  // The final CKA_ID comes from the public key, so the pair is born under a random one.
  uint8_t id[20];
  if (RAND_bytes(id, sizeof id) != 1) return Fail(Internal("no random bytes"));
  const CK_MECHANISM_TYPE mechanism =
      spec.type == KeyType::kRsa ? CKM_RSA_PKCS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN;
  const PrivateKeyRights rights{spec.type, spec.exportable, profile.allowed_mechanisms, on_token};
  const auto generate = [&](bool with_verify) {
    return session.GenerateKeyPair(mechanism, PublicTemplate(spec, id, on_token, with_verify),
                                   PrivateTemplate(rights, spec.label, id));
  };
  auto made = generate(true);
  // tpm2-pkcs11 fails over CKA_VERIFY, which it wants to set itself (tokens/README.md).
  if (!made && made.error().rv == CKR_GENERAL_ERROR) made = generate(false);
  KB_ASSIGN(const auto pair, std::move(made));
  auto key = Finish(session, pair, spec);
  if (key) return key;
  Error error = key.error();
  const Status gone = session.Destroy(pair.private_key);
  (void)session.Destroy(pair.public_key);
  if (!gone) {
    error.detail += ". The token does not remove the key that it made either (" +
                    gone.error().detail + "): keybroker key list shows it, key delete tries again";
  }
  return Fail(std::move(error));
}

}  // namespace keybroker::token
