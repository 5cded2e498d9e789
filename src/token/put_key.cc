#include "token/put_key.h"

#include <utility>

#include "token/generate_pair.h"
#include "token/private_template.h"
#include "token/prove_key.h"
#include "token/spki.h"

namespace keybroker::token {
namespace {

// NSS keeps no public key in an EC private key that was unwrapped, and wants the bare point here.
constexpr CK_ATTRIBUTE_TYPE kNssDb = 0xD5A0DB00UL;

// Arrival is a key on its way onto the token.
struct Arrival {
  const Session& session;
  const UnwrapSpec& spec;
  const PrivateMaker& make;
  std::vector<uint8_t> id;
  PublicParts parts;

  Result<CK_OBJECT_HANDLE> Private(bool on_token) const;
};

// BareOctets are the contents of a DER OCTET STRING of less than 256 bytes.
Bytes BareOctets(Bytes der) { return der.subspan(der[1] < 0x80 ? 2 : 3); }

Result<CK_OBJECT_HANDLE> Arrival::Private(bool on_token) const {
  const PrivateKeyRights rights{spec.type, spec.exportable, spec.allowed_mechanisms, on_token};
  Attributes object = PrivateTemplate(rights, spec.label, id);
  auto key = make(object);
  if (!key && key.error().rv == CKR_TEMPLATE_INCOMPLETE && spec.type == cryptoki::KeyType::kEc) {
    object.Add(kNssDb, BareOctets(parts.second));
    key = make(object);
  }
  return key;
}

// Harden sets right what the token set otherwise than asked (opencryptoki ignores the template).
Status Harden(const Session& session, CK_OBJECT_HANDLE key, bool exportable) {
  if (CheckPrivateAttributes(session, key, exportable)) return {};
  static_cast<void>(session.Set(key, Attributes().AddBool(CKA_SENSITIVE, true)));
  if (!exportable)
    static_cast<void>(session.Set(key, Attributes().AddBool(CKA_EXTRACTABLE, false)));
  for (const CK_ATTRIBUTE_TYPE type : {CKA_SIGN_RECOVER, CKA_DECRYPT, CKA_UNWRAP, CKA_DERIVE}) {
    static_cast<void>(session.Set(key, Attributes().AddBool(type, false)));
  }
  return CheckPrivateAttributes(session, key, exportable);
}

// Prove checks a private key object: its attributes, and a signature under the public key of spec.
Status Prove(const Session& session, CK_OBJECT_HANDLE object, const UnwrapSpec& spec) {
  KB_TRY(Harden(session, object, spec.exportable));
  KeyPair pair;
  pair.private_key = object;
  pair.type = spec.type;
  pair.spki = spec.spki;
  return ProveKey(session, pair);
}

Status CheckGone(const Session& session, CK_OBJECT_HANDLE object) {
  const auto still = session.ReadUlong(object, CKA_CLASS);
  if (!still || !*still) return {};
  return Fail(TokenFailed("the token still shows the key that it was told to destroy"));
}

Status TryPrivate(const Arrival& arrival, const KeyUse& use) {
  KB_ASSIGN(const CK_OBJECT_HANDLE object, arrival.Private(false));
  Status proved = Prove(arrival.session, object, arrival.spec);
  if (proved && use) proved = use(object);
  const Status destroyed = arrival.session.Destroy(object);
  KB_TRY(proved);
  KB_TRY(destroyed);
  return CheckGone(arrival.session, object);
}

Attributes PublicObject(const Arrival& arrival) {
  const bool rsa = arrival.spec.type == cryptoki::KeyType::kRsa;
  Attributes object;
  object.AddUlong(CKA_CLASS, CKO_PUBLIC_KEY)
      .AddUlong(CKA_KEY_TYPE, cryptoki::CkKeyType(arrival.spec.type))
      .AddBool(CKA_TOKEN, true)
      .AddBool(CKA_PRIVATE, false)
      .AddBool(CKA_VERIFY, true)
      .Add(CKA_LABEL, arrival.spec.label)
      .Add(CKA_ID, arrival.id)
      .Add(rsa ? CKA_MODULUS : CKA_EC_PARAMS, arrival.parts.first)
      .Add(rsa ? CKA_PUBLIC_EXPONENT : CKA_EC_POINT, arrival.parts.second);
  return object;
}

// Made lists what a restore put on the token, and takes it away again unless all went well.
class Made {
 public:
  explicit Made(const Session& session) : session_(session) {}
  ~Made() {
    for (auto object = objects_.rbegin(); object != objects_.rend(); ++object) {
      static_cast<void>(session_.Destroy(*object));
    }
  }
  Made(const Made&) = delete;
  Made& operator=(const Made&) = delete;
  void Add(CK_OBJECT_HANDLE object) { objects_.push_back(object); }
  void Keep() { objects_.clear(); }

 private:
  const Session& session_;
  std::vector<CK_OBJECT_HANDLE> objects_;
};

// MakePublic makes the public key object, unless an earlier restore that was cut off left it.
Status MakePublic(const Arrival& arrival, Made* made) {
  const Attributes match =
      std::move(Attributes().AddUlong(CKA_CLASS, CKO_PUBLIC_KEY).Add(CKA_ID, arrival.id));
  KB_ASSIGN(const auto there, arrival.session.Find(match));
  if (!there.empty()) return {};  // ReadPair compares it
  KB_ASSIGN(const CK_OBJECT_HANDLE object, arrival.session.Create(PublicObject(arrival)));
  made->Add(object);
  return {};
}

Result<KeyPair> MakePair(const Arrival& arrival) {
  const Session& session = arrival.session;
  Made made(session);
  KB_TRY(MakePublic(arrival, &made));
  KB_ASSIGN(const CK_OBJECT_HANDLE object, arrival.Private(true));
  made.Add(object);
  KB_TRY(Prove(session, object, arrival.spec));
  KB_ASSIGN(KeyPair pair, ReadPair(session, object));
  if (pair.spki != arrival.spec.spki || pair.label != arrival.spec.label || pair.id != arrival.id) {
    return Fail(TokenFailed("the token shows the restored key otherwise than it was made"));
  }
  made.Keep();
  return pair;
}

Result<Arrival> Arriving(const Session& session, const UnwrapSpec& spec, const PrivateMaker& make) {
  KB_ASSIGN(auto id, SubjectKeyId(spec.spki));
  KB_ASSIGN(auto parts, PartsOf(spec.type, spec.spki));
  return Arrival{session, spec, make, std::move(id), std::move(parts)};
}

}  // namespace

Status TryKey(const Session& session, const UnwrapSpec& spec, const PrivateMaker& make,
              const KeyUse& use) {
  KB_ASSIGN(const Arrival arrival, Arriving(session, spec, make));
  return TryPrivate(arrival, use);
}

Result<KeyPair> PutKey(const Session& session, const UnwrapSpec& spec, const PrivateMaker& make) {
  KB_ASSIGN(const Arrival arrival, Arriving(session, spec, make));
  KB_TRY(TryPrivate(arrival, {}));
  return MakePair(arrival);
}

}  // namespace keybroker::token
