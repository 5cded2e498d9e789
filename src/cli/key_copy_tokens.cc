#include "cli/key_copy_tokens.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "keybroker/base/hex.h"
#include "keybroker/base/joined.h"
#include "keybroker/token/receiving_key.h"
#include "keybroker/token/recipient_wrap.h"

namespace keybroker::cli {
namespace {

using token::OaepHash;
using token::WrapAlgorithm;

constexpr WrapAlgorithm kWrapAlgorithms[] = {WrapAlgorithm::kAesKeyWrapPad,
                                             WrapAlgorithm::kAesCbcPad};
constexpr OaepHash kOaepHashes[] = {OaepHash::kSha256, OaepHash::kSha1};

Result<WrapAlgorithm> AlgorithmOf(const Json& json) {
  const std::string name = GetText(json, "algorithm");
  for (const WrapAlgorithm each : kWrapAlgorithms) {
    if (token::WrapAlgorithmName(each) == name) return each;
  }
  return Fail(Malformed("the other token named a wrap that is none: " + name));
}

Result<OaepHash> HashOf(const Json& json) {
  const std::string name = GetText(json, "hash");
  for (const OaepHash each : kOaepHashes) {
    if (token::OaepHashName(each) == name) return each;
  }
  return Fail(Malformed("the other token named a hash that is none: " + name));
}

Result<std::vector<uint8_t>> HexOf(const Json& json, const char* field) {
  return ParseHex(GetText(json, field));
}

TokenIdentity IdentityOfIt(const LoggedIn& token) { return IdentityOf(token.token.info()); }

Error NotExportable(const LoggedIn& source, const token::KeyPair& key) {
  return Denied("the key " + Describe(key) + " is not exportable from the token \"" +
                source.config.name +
                "\": it was generated or sealed so, which holds for good. Put a backup of it on "
                "the other token with `keybroker backup restore`, or make a new generation with "
                "`keybroker key generate --exportable --new-generation`");
}

Error CannotSend(const LoggedIn& source, const std::vector<std::string>& evidence) {
  return TokenFailed("the token \"" + source.config.name +
                     "\" cannot send a key without showing it to this host: it has to wrap the "
                     "key under a content key that it generates, and that by RSA-OAEP (" +
                     Joined(evidence) +
                     "). Make a backup with `keybroker backup export` and restore that, or use the "
                     "vendor's own means");
}

Result<Json> ProbeWays(const LoggedIn& source) {
  Json ways = Json::array();
  std::vector<std::string> evidence;
  for (const WrapAlgorithm algorithm : kWrapAlgorithms) {
    const auto way = token::ProbeRecipientWay(source.session, algorithm);
    if (way && way->host_because.empty()) {
      ways.push_back({{"algorithm", token::WrapAlgorithmName(algorithm)},
                      {"hash", token::OaepHashName(way->hash)}});
    } else {
      evidence.push_back(std::string(token::WrapAlgorithmName(algorithm)) + ": " +
                         (way ? way->host_because : way.error().detail));
    }
  }
  if (ways.empty()) return Fail(CannotSend(source, evidence));
  return ways;
}

// Common is the first of the ways that the target unwraps too.
Result<WrapAlgorithm> Common(const LoggedIn& target, const Json& ways) {
  std::vector<std::string> evidence;
  std::vector<std::string> offered;
  const auto own = token::ProbeUnwrap(target.session, &evidence);
  for (const Json& way : ways) {
    KB_ASSIGN(const WrapAlgorithm algorithm, AlgorithmOf(way));
    offered.emplace_back(token::WrapAlgorithmName(algorithm));
    const bool can = std::any_of(own.begin(), own.end(),
                                 [&](const auto& each) { return each.algorithm == algorithm; });
    if (can) return algorithm;
  }
  return Fail(TokenFailed(
      "the two tokens have no wrap of private keys in common: the one sends by " + Joined(offered) +
      "; the token \"" + target.config.name + "\" unwraps by none of them (" + Joined(evidence) +
      "). `keybroker backup export --encryption` may write what it restores; else use the vendor's "
      "own means"));
}

Result<OaepHash> ChooseHash(const LoggedIn& target, const std::vector<OaepHash>& own,
                            const Json& ways, WrapAlgorithm algorithm) {
  for (const Json& way : ways) {
    if (GetText(way, "algorithm") != token::WrapAlgorithmName(algorithm)) continue;
    KB_ASSIGN(const OaepHash best, HashOf(way));
    // One that does SHA-256 does SHA-1, and were it not so, nothing would arrive.
    for (const OaepHash hash : {best, OaepHash::kSha1}) {
      if (std::find(own.begin(), own.end(), hash) != own.end()) return hash;
    }
  }
  return Fail(TokenFailed("the token \"" + target.config.name +
                          "\" does not unwrap a content key by RSA-OAEP as the other wraps it. "
                          "Make a backup with `keybroker backup export` and restore that"));
}

Result<token::ReceivingKey> ReceivingKeyFor(const LoggedIn& target, const Delivery& delivery) {
  if (delivery.prepared) return token::ReceivingKey::Find(target.session, *delivery.prepared);
  return token::ReceivingKey::Make(target.session);
}

Result<token::RecipientWrap> Sent(const Json& answer, WrapAlgorithm algorithm, OaepHash hash) {
  token::RecipientWrap sent;
  sent.hash = hash;
  sent.key.algorithm = algorithm;
  KB_ASSIGN(sent.key.iv, HexOf(answer, "iv"));
  KB_ASSIGN(sent.key.bytes, HexOf(answer, "wrapped"));
  KB_ASSIGN(auto content_key, HexOf(answer, "content_key"));
  sent.content_keys.push_back(std::move(content_key));
  return sent;
}

// Agreed is how the key comes, once the command has agreed to it.
struct Agreed {
  WrapAlgorithm algorithm;
  token::ReceivingKey receiving;
  OaepHash hash;
};

Result<Agreed> Agree(const LoggedIn& target, const Delivery& delivery) {
  KB_ASSIGN(const WrapAlgorithm algorithm, Common(target, delivery.ways));
  KB_ASSIGN(auto receiving, ReceivingKeyFor(target, delivery));
  KB_ASSIGN(const OaepHash hash, ChooseHash(target, receiving.Hashes(), delivery.ways, algorithm));
  KB_TRY(target.ask({{"step", kAgree},
                     {"spki", Hex(receiving.spki())},
                     {"algorithm", token::WrapAlgorithmName(algorithm)},
                     {"hash", token::OaepHashName(hash)}}));
  return Agreed{algorithm, std::move(receiving), hash};
}

Result<token::KeyPair> Receive(const LoggedIn& target, const Delivery& delivery,
                               const Agreed& agreed) {
  KB_ASSIGN(const Json answer, target.ask({{"step", kSend}}));
  KB_ASSIGN(const auto sent, Sent(answer, agreed.algorithm, agreed.hash));
  return agreed.receiving.Receive(
      sent, {delivery.key.name, delivery.key.type, delivery.key.spki, delivery.key.exportable,
             target.profile.allowed_mechanisms});
}

}  // namespace

Result<Json> LookAtSource(LoggedIn& source, const policy::CurrentKeys& current,
                          const KeyWish& wish) {
  KB_ASSIGN(const auto keys, token::ListKeys(source.session));
  KB_ASSIGN(const token::KeyPair* key, PickKey(keys, current, wish));
  // Asked here too: NSS wraps a key whose CKA_EXTRACTABLE reads false.
  if (!key->extractable) return Fail(NotExportable(source, *key));
  KB_ASSIGN(Json ways, ProbeWays(source));
  return Json{{"key", KeyJson(*key, IsCurrent(keys, current, *key))},
              {"certificate", Hex(key->certificate)},
              {"ways", std::move(ways)},
              {"token", IdentityJson(IdentityOfIt(source))}};
}

Result<Json> SendKey(LoggedIn& source, const KeyWish& wish, const Json& agreed) {
  KB_ASSIGN(const auto keys, token::ListKeys(source.session));
  KB_ASSIGN(const token::KeyPair* key, PickKey(keys, {}, wish));
  if (!key->extractable) return Fail(NotExportable(source, *key));
  KB_ASSIGN(const auto spki, HexOf(agreed, "spki"));
  KB_ASSIGN(const WrapAlgorithm algorithm, AlgorithmOf(agreed));
  KB_ASSIGN(auto way, token::ProbeRecipientWay(source.session, algorithm));
  if (!way.host_because.empty()) return Fail(CannotSend(source, {way.host_because}));
  KB_ASSIGN(way.hash, HashOf(agreed));
  KB_ASSIGN(const auto wrapped, token::WrapToRecipients(source.session, *key, {{spki}}, way));
  return Json{{"content_key", Hex(wrapped.content_keys.front())},
              {"iv", Hex(wrapped.key.iv)},
              {"wrapped", Hex(wrapped.key.bytes)}};
}

Result<Json> ReceiveOnTarget(LoggedIn& target, const Delivery& delivery) {
  if (SameToken(IdentityOfIt(target), delivery.token)) {
    return Fail(Conflict("\"" + target.config.name +
                         "\" is the very token that the key is on: nothing was changed"));
  }
  KB_ASSIGN(const bool there, IsOnToken(target, delivery.key));
  std::optional<Agreed> agreed;
  if (there) {
    KB_TRY(target.ask({{"step", kHold}}));
  } else {
    KB_ASSIGN(Agreed made, Agree(target, delivery));
    agreed.emplace(std::move(made));
  }
  // The command has the lock from here on: what another one did before it is seen now.
  const KeyMaker make = [&](LoggedIn& to) -> Result<token::KeyPair> {
    if (!agreed) {
      // What seemed to be there was what a killed command had left.
      KB_ASSIGN(Agreed made, Agree(to, delivery));
      agreed.emplace(std::move(made));
    }
    return Receive(to, delivery, *agreed);
  };
  return ArriveOnToken(target, delivery.key, delivery.challenge, make);
}

Result<Json> PrepareTarget(LoggedIn& target) {
  KB_ASSIGN(const auto spki, token::ReceivingKey::Prepare(target.session));
  KB_ASSIGN(const auto fingerprint, token::SpkiSha256(spki));
  return Json{{"fingerprint", Hex(fingerprint)}, {"spki", Hex(spki)}};
}

}  // namespace keybroker::cli
