#include "keybroker/token/import_key.h"

#include <openssl/rand.h>

#include <algorithm>
#include <utility>

#include "keybroker/token/host_wrap.h"
#include "token/private_parts.h"
#include "token/put_key.h"
#include "token/spki.h"

namespace keybroker::token {
namespace {

// Chosen is a form and the mechanism by which this token unwraps it.
struct Chosen {
  const WrappedKey* form = nullptr;
  WrapMechanism how{};
};

Chosen Choose(const std::vector<WrapMechanism>& probed, std::span<const WrappedKey> forms) {
  for (const WrapMechanism& how : probed) {
    for (const WrappedKey& form : forms) {
      if (form.algorithm == how.algorithm) return {&form, how};
    }
  }
  return {};
}

Result<KeyPair> Unwrap(const Session& session, const Chosen& chosen, const Secret& kek,
                       const UnwrapSpec& spec) {
  KB_ASSIGN(const Kek on_token, Kek::Create(session, kek));
  const PrivateMaker make = [&](const Attributes& object) -> Result<CK_OBJECT_HANDLE> {
    auto key = on_token.Unwrap(chosen.how, chosen.form->iv, chosen.form->bytes, object);
    if (key) return *key;
    Error error = key.error();
    error.detail = "the token does not unwrap the key: " + error.detail +
                   ". It unwraps others, so it takes no key of this type and size";
    return Fail(std::move(error));
  };
  return PutKey(session, spec, make);
}

Result<KeyPair> Create(const Session& session, const WrappedKey& form, const Secret& kek,
                       const UnwrapSpec& spec) {
  KB_ASSIGN(const Secret pkcs8, HostUnwrap(form.algorithm, kek, form.iv, form.bytes));
  KB_ASSIGN(const auto secrets, PrivateParts(spec.type, pkcs8));
  KB_ASSIGN(const auto open, PartsOf(spec.type, spec.spki));
  const bool rsa = spec.type == cryptoki::KeyType::kRsa;
  const PrivateMaker make = [&](const Attributes& object) {
    Attributes whole = object;
    whole.Add(rsa ? CKA_MODULUS : CKA_EC_PARAMS, open.first);
    if (rsa) whole.Add(CKA_PUBLIC_EXPONENT, open.second);
    return CreateWithSecrets(session, whole, secrets);
  };
  return PutKey(session, spec, make);
}

Error NoBackupPossible(const std::vector<std::string>& evidence) {
  std::string text;
  for (const std::string& line : evidence) text += (text.empty() ? "" : "; ") + line;
  return TokenFailed("the token wraps keys in no way that keybroker knows (" + text +
                     "), so no backup could be made of an exportable key. Leave --exportable out");
}

}  // namespace

Result<std::vector<WrappedKey>> WrapForImport(const Secret& kek, const Secret& pkcs8) {
  std::vector<WrappedKey> forms(2);
  forms[0].algorithm = WrapAlgorithm::kAesKeyWrapPad;
  forms[1].algorithm = WrapAlgorithm::kAesCbcPad;
  forms[1].iv.resize(kCbcIvSize);
  if (RAND_bytes(forms[1].iv.data(), kCbcIvSize) != 1) return Fail(Internal("no random bytes"));
  for (WrappedKey& form : forms) {
    KB_ASSIGN(form.bytes, HostWrap(form.algorithm, kek, form.iv, pkcs8.Expose()));
  }
  return forms;
}

Result<ImportedKey> ImportKey(const Session& session, std::span<const WrappedKey> forms,
                              const Secret& kek, const UnwrapSpec& spec) {
  std::vector<std::string> evidence;
  const auto probed = ProbeUnwrap(session, &evidence);
  const Chosen chosen = Choose(probed, forms);
  ImportedKey imported;
  imported.in_the_clear = chosen.form == nullptr;
  if (forms.empty()) return Fail(Internal("there is no key to import"));
  if (spec.exportable && ProbeWrap(session, &evidence).empty()) {
    return Fail(NoBackupPossible(evidence));
  }
  if (imported.in_the_clear) {
    KB_ASSIGN(imported.key, Create(session, forms.front(), kek, spec));
  } else {
    KB_ASSIGN(imported.key, Unwrap(session, chosen, kek, spec));
  }
  return imported;
}

}  // namespace keybroker::token
