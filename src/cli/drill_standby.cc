#include "cli/drill_standby.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "cli/key_choice.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/printable.h"
#include "keybroker/credential/certificate.h"

namespace keybroker::cli {
namespace {

using cryptoki::KeyType;

// Sought is the key on record.
struct Sought {
  std::string name;
  std::vector<uint8_t> id;
  std::string spki_sha256;
  credential::PublicKey key;
  std::vector<uint8_t> certified;  // SubjectPublicKeyInfo of the certificate; empty: there is none
  Challenge challenge{};
};

// Found is a private key of the standby token that may be it.
struct Found {
  CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
  bool always_authenticate = false;
};

Json Failure(std::string_view code, const std::string& text) {
  return {{"code", code}, {"failure", text}};
}

Result<Sought> SoughtOf(const BackupRecord& record) {
  Sought sought;
  sought.name = record.name;
  KB_ASSIGN(sought.id, ParseHex(record.id));
  const auto type = cryptoki::ParseKeyType(record.type);
  auto key = PublicKeyOf(type.value_or(KeyType::kEc), record.external->spki);
  if (!type || !key) {
    return Fail(Malformed("the record of the external backup of " + record.name +
                          " has no public key: record it again"));
  }
  sought.key = std::move(*key);
  sought.spki_sha256 = record.external->SpkiSha256();
  if (const auto parsed = credential::ParseCertificate(record.external->certificate)) {
    sought.certified = parsed->spki;
  }
  return sought;
}

// Fits tells whether the signature is that of the key on record.
bool Fits(const Sought& sought, const Challenge& challenge, const std::string& signature) {
  if (!IsAnswer(sought.key, challenge, signature)) return false;
  if (sought.certified.empty()) return true;
  return IsAnswer({sought.key.type, sought.key.bits, sought.certified}, challenge, signature);
}

std::string Names(const Sought& sought) {
  return "the key " + sought.name + " (id " + Hex(sought.id) + ", public key SHA-256 " +
         sought.spki_sha256 + ")";
}

Json Try(const LoggedIn& standby, const Sought& sought, const Found& found) {
  const auto signature =
      AnswerChallenge(standby.session, found.object, sought.key, sought.challenge,
                      found.always_authenticate ? standby.pin : nullptr);
  if (!signature) {
    return Failure(kDoesNotSign,
                   "the key is there, but it does not sign: " + signature.error().detail);
  }
  if (Fits(sought, sought.challenge, *signature)) {
    Json good = Failure("", "");
    good["signature"] = *signature;
    return good;
  }
  return Failure(kOtherKey, "a key is there in the place of " + Names(sought) +
                                ", but it is another one: its signature does not fit the public "
                                "key on record");
}

// Bare gives the private keys of the name or id that no public key object belongs to, as a vendor's
// restore may leave them: only a signature tells which key each is.
Result<std::vector<Found>> Bare(const LoggedIn& standby, const token::KeyList& keys,
                                const Sought& sought) {
  std::vector<Found> all;
  for (const bool by_id : {true, false}) {
    token::Attributes match;
    match.AddUlong(CKA_CLASS, CKO_PRIVATE_KEY);
    match.AddUlong(CKA_KEY_TYPE, cryptoki::CkKeyType(sought.key.type));
    by_id ? match.Add(CKA_ID, sought.id) : match.Add(CKA_LABEL, sought.name);
    KB_ASSIGN(const auto objects, standby.session.Find(match));
    for (const CK_OBJECT_HANDLE object : objects) {
      const bool listed =
          std::any_of(keys.keys.begin(), keys.keys.end(),
                      [&](const token::KeyPair& key) { return key.private_key == object; });
      const bool again = std::any_of(all.begin(), all.end(),
                                     [&](const Found& each) { return each.object == object; });
      if (listed || again) continue;
      KB_ASSIGN(const auto always, standby.session.ReadBool(object, CKA_ALWAYS_AUTHENTICATE));
      all.push_back({object, always.value_or(false)});
    }
  }
  return all;
}

// OtherOf tells of the keys that are there under the name or id; "" when there are none.
std::string OtherOf(const token::KeyList& keys, const Sought& sought) {
  std::string text;
  for (const token::KeyPair& key : keys.keys) {
    const bool named = key.label == sought.name && key.type == sought.key.type;
    if (!named && key.id != sought.id) continue;
    text += (text.empty() ? "" : "; ") + EscapeUnprintable(Describe(key)) +
            ", public key SHA-256 " + Hex(key.spki_sha256);
  }
  return text;
}

Json TryBare(const LoggedIn& standby, const Sought& sought, const std::vector<Found>& bare,
             const std::string& others) {
  Json last;
  for (const Found& each : bare) {
    Json tried = Try(standby, sought, each);
    if (GetText(tried, "code").empty()) {
      tried["lacks"] = Json::array({"no public key object of it", "no certificate of it"});
      return tried;
    }
    last = std::move(tried);
  }
  if (!others.empty()) {
    return Failure(kOtherKey, "a key is there, but it is another one: " + others +
                                  "; on record is " + Names(sought));
  }
  if (!bare.empty()) return last;
  return Failure(kNoKey, Names(sought) + " is not there");
}

Result<Json> LookAndTry(const LoggedIn& standby, const Sought& sought) {
  KB_ASSIGN(const auto keys, token::ListKeys(standby.session));
  const auto same = std::find_if(keys.keys.begin(), keys.keys.end(), [&](const auto& key) {
    return Hex(key.spki_sha256) == sought.spki_sha256;
  });
  if (same == keys.keys.end()) {
    KB_ASSIGN(const auto bare, Bare(standby, keys, sought));
    return TryBare(standby, sought, bare, OtherOf(keys, sought));
  }
  Json tried = Try(standby, sought, {same->private_key, same->always_authenticate});
  tried["lacks"] = Json::array();
  if (same->certificate.empty()) tried["lacks"].push_back("no certificate of it");
  if (same->id != sought.id) tried["lacks"].push_back("it under another CKA_ID: " + Hex(same->id));
  return tried;
}

}  // namespace

Result<Json> TryStandby(const LoggedIn& standby, const BackupRecord& record,
                        const Challenge& challenge) {
  KB_ASSIGN(auto sought, SoughtOf(record));
  sought.challenge = challenge;
  const TokenIdentity identity = IdentityOf(standby.token.info());
  Json result;
  const auto begun = std::chrono::steady_clock::now();
  if (SameToken(identity, record.external->origin)) {
    result = Failure(kSameToken, "the token \"" + standby.config.name +
                                     "\" is the very token that the key was recorded from (or a "
                                     "copy of its files, which nothing tells from it): a "
                                     "signature there proves no backup");
  } else {
    KB_ASSIGN(result, LookAndTry(standby, sought));
  }
  const auto took = std::chrono::steady_clock::now() - begun;
  result["ms"] = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
  result["mechanism"] = sought.key.type == KeyType::kRsa ? "CKM_RSA_PKCS" : "CKM_ECDSA";
  result["token"] = IdentityJson(identity);
  return result;
}

Result<Json> CheckStandby(Json result, const BackupRecord& record, const Challenge& challenge) {
  if (!GetText(result, "code").empty()) return result;
  KB_ASSIGN(const auto sought, SoughtOf(record));
  if (Fits(sought, challenge, GetText(result, "signature"))) return result;
  result.update(Failure(kDoesNotSign, NoAnswer("the key on record").detail));
  return result;
}

}  // namespace keybroker::cli
