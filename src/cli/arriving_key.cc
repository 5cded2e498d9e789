#include "cli/arriving_key.h"

#include <algorithm>

#include "cli/key_choice.h"
#include "cli/token_leftovers.h"
#include "keybroker/base/hex.h"

namespace keybroker::cli {
namespace {

std::vector<uint8_t> LeafOf(const ArrivingKey& key) {
  return key.chain.empty() ? std::vector<uint8_t>() : key.chain.front().der;
}

// Differences says how the key that is there differs from the file's.
Json Differences(const token::KeyPair& there, const ArrivingKey& key) {
  Json list = Json::array();
  if (there.id != key.id) list.push_back("its CKA_ID is " + Hex(there.id));
  if (key.exportable && !there.extractable) {
    list.push_back("it is not exportable, which holds for good");
  }
  if (!key.chain.empty() && there.certificate != LeafOf(key)) {
    list.push_back(there.certificate.empty() ? "it has no certificate"
                                             : "its certificate is another");
  }
  return list;
}

Json Generations(const token::KeyList& keys, const ArrivingKey& arriving) {
  Json ids = Json::array();
  for (const auto& key : keys.keys) {
    if (key.label == arriving.name && key.type == arriving.type) ids.push_back(Hex(key.id));
  }
  return ids;
}

// Arrived is the key on the token, and what it signed.
struct Arrived {
  token::KeyPair key;
  std::string signature;
};

Result<std::string> SignedBy(const LoggedIn& token, const token::KeyPair& key,
                             const Challenge& challenge) {
  return AnswerChallenge(token.session, key.private_key, {key.type, key.bits, key.spki}, challenge,
                         key.always_authenticate ? token.pin : nullptr);
}

// Make makes pair and certificate, or nothing.
Result<Arrived> Make(LoggedIn& token, const ArrivingKey& arriving, const Challenge& challenge,
                     const KeyMaker& make) {
  KB_ASSIGN(auto key, make(token));
  const auto leaf = LeafOf(arriving);
  const auto signature = SignedBy(token, key, challenge);
  Status done = signature ? Status() : Status(Fail(signature.error()));
  if (done && !leaf.empty()) done = token::WriteCertificate(token.session, key, leaf);
  if (!done) {
    static_cast<void>(token::DeleteKey(token.session, key));
    return Fail(done.error());
  }
  key.certificate = leaf;
  return Arrived{std::move(key), *signature};
}

Result<Arrived> Found(const LoggedIn& token, const token::KeyPair& there,
                      const Challenge& challenge) {
  auto signature = SignedBy(token, there, challenge);
  if (signature) return Arrived{there, *signature};
  Error error = signature.error();
  error.detail = "the token has the key already, as " + Describe(there) +
                 ", but it does not sign: " + error.detail + ". Nothing was changed";
  return Fail(std::move(error));
}

// Present finds the key by its CKA_ID, else, where another program gave it one, by its public key.
// One under another name is a key of that name.
Result<const token::KeyPair*> Present(const token::KeyList& keys, const ArrivingKey& arriving) {
  const token::KeyPair* there = nullptr;
  for (const auto& key : keys.keys) {
    if (key.id == arriving.id && key.spki != arriving.spki) {
      return Fail(Conflict("the token has another key with this CKA_ID: nothing was changed"));
    }
    if (key.spki != arriving.spki) continue;
    if (there == nullptr || key.id == arriving.id) there = &key;
  }
  if (there == nullptr || there->label == arriving.name) return there;
  return Fail(Conflict("the token has this very key already, as " + Describe(*there) +
                       ": nothing was changed, and nothing goes by the name " + arriving.name));
}

// IsOutcome tells whether all is there that is read of it afterwards.
bool IsOutcome(const Json& outcome) {
  const auto has = [&](const char* field, Json::value_t type) {
    return outcome.contains(field) && outcome[field].type() == type;
  };
  return outcome.is_object() && has("present", Json::value_t::boolean) &&
         has("completed", Json::value_t::boolean) && has("key", Json::value_t::object) &&
         has("removed", Json::value_t::array) && has("differences", Json::value_t::array) &&
         has("others", Json::value_t::array);
}

}  // namespace

Result<bool> IsOnToken(LoggedIn& token, const ArrivingKey& arriving) {
  KB_ASSIGN(const auto keys, token::ListKeys(token.session));
  KB_ASSIGN(const token::KeyPair* there, Present(keys, arriving));
  return there != nullptr;
}

Result<Json> ArriveOnToken(LoggedIn& token, const ArrivingKey& arriving, const Challenge& challenge,
                           const KeyMaker& make) {
  // One that was killed before may have left an object of this very CKA_ID that holds no key.
  KB_ASSIGN(const auto removed, token::RemoveLeftoversOf(token.session, arriving.id));
  KB_ASSIGN(const auto keys, token::ListKeys(token.session));
  KB_ASSIGN(const token::KeyPair* there, Present(keys, arriving));
  KB_ASSIGN(Arrived arrived, there == nullptr ? Make(token, arriving, challenge, make)
                                              : Found(token, *there, challenge));
  token::KeyPair& key = arrived.key;
  // One that was cut off before its certificate is made whole; any other difference is told.
  const bool completed = there != nullptr && there->id == arriving.id &&
                         there->certificate.empty() && !arriving.chain.empty();
  if (completed) {
    KB_TRY(token::WriteCertificate(token.session, key, LeafOf(arriving)));
    key.certificate = LeafOf(arriving);
  }
  return Json{{"key", KeyJson(key, false)},
              {"present", there != nullptr},
              {"completed", completed},
              {"removed", LeftoversJson(removed)},
              {"differences", Differences(key, arriving)},
              {"others", Generations(keys, arriving)},
              {"signature", arrived.signature}};
}

Status CheckArrived(const Json& outcome, const ArrivingKey& arriving, const Challenge& challenge) {
  if (!IsOutcome(outcome)) {
    return Fail(Internal("the token's process gave an answer that does not fit. Whether the key " +
                         arriving.name + " is on the token is not known"));
  }
  KB_ASSIGN(const auto key, PublicKeyOf(arriving.type, arriving.spki));
  if (IsAnswer(key, challenge, GetText(outcome, "signature"))) return {};
  Error error = NoAnswer("the key " + arriving.name);
  error.detail += ". Whether it is on the token is not known, and nothing counts as proved";
  return Fail(std::move(error));
}

std::string ArrivalText(const Json& outcome, const ArrivingKey& arriving, const std::string& token,
                        const ArrivalWords& words) {
  const std::string source = words.source;
  const std::string key = arriving.name + " (" + std::string(cryptoki::KeyTypeName(arriving.type)) +
                          ", id " + Hex(arriving.id) + ")";
  if (GetBool(outcome, "completed")) {
    return "the token \"" + token + "\" has the key " + key + " already, but had no certificate " +
           "of it: that of the " + source + " was written. The key itself was not changed\n";
  }
  if (!GetBool(outcome, "present")) {
    return words.done + (" the key " + key) + " on the token \"" + token + "\"\n" +
           "it signed, and the signature fits " +
           (arriving.chain.empty() ? "the public key of the " + source
                                   : "the " + source + "'s certificate") +
           "\n";
  }
  std::string text =
      "the token \"" + token + "\" has the key " + key + " already: nothing on it was changed. " +
      (outcome["differences"].empty() ? "It is the same as in the " + source : std::string("But "));
  const char* joint = "";
  for (const Json& each : outcome["differences"]) {
    if (each.is_string()) text += joint + each.get<std::string>();
    joint = "; ";
  }
  return text + "\n";
}

std::vector<std::string> RemovedNotes(const Json& outcome) {
  std::vector<std::string> notes;
  for (const Json& each : outcome["removed"]) {
    if (!each.is_string()) continue;
    notes.push_back("removed what a command that was killed had left: " + each.get<std::string>());
  }
  return notes;
}

}  // namespace keybroker::cli
