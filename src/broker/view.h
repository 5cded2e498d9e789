#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "broker/catalogue.h"
#include "broker/configuration.h"
#include "keybroker/policy/decision.h"

namespace keybroker::broker {

class TokenGate;

// TokenKeys is a token's catalogue with the way to it.
struct TokenKeys {
  std::shared_ptr<TokenGate> gate;
  std::shared_ptr<const TokenCatalogue> catalogue;  // null: none was ever received
};

// KnownKey is a key of some token, and whether it is its name's current one.
struct KnownKey {
  const TokenKey* key = nullptr;
  size_t token = 0;  // index of its TokenKeys
  bool current = false;
};

// AllKeys lists the keys of all tokens, sorted by name, type, current first, CKA_ID, and says what
// the operator should know: a name with several keys of one type none of which is named current,
// a current key that is on no token, one key on two tokens.
std::vector<KnownKey> AllKeys(const std::vector<TokenKeys>& tokens,
                              const policy::CurrentKeys& current,
                              std::vector<std::string>& warnings);

// ViewKey is a key that a listener may use.
struct ViewKey {
  std::string name;
  std::string id_hex;
  cryptoki::KeyType type;
  uint32_t bits;
  bool current;
  std::vector<uint32_t> mechanisms;  // what it may and the token can: sorted, never empty
  std::shared_ptr<TokenGate> gate;

  policy::KeyFacts facts() const { return {name, type, bits}; }
};

// View is what one listener sees: policy filters list, info and init alike. Immutable.
class View {
 public:
  View(std::shared_ptr<const ListenerSetup> setup, const std::vector<TokenKeys>& tokens,
       const std::vector<KnownKey>& keys);

  const ListenerSetup& setup() const { return *setup_; }

  // generation names the view's content: a hash of it, so that it is another one when and only when
  // the content is, across restarts too. Never 0.
  uint64_t generation() const { return generation_; }

  // token_present is true once any token's keys were received, also while its tokenhost is away.
  bool token_present() const { return token_present_; }

  size_t size() const { return entries_.size(); }
  const std::vector<std::shared_ptr<const ViewKey>>& keys() const { return keys_; }

  // Find gives the key, or nullptr when this listener may not use it or it does not exist.
  const ViewKey* Find(const wire::KeyRef& ref) const;

  // MayAsk tells whether uid is one of the listener's users.
  bool MayAsk(uid_t uid) const;

  // EncodePage writes the answer to request.
  void EncodePage(const wire::CatalogueRequest& request, wire::Writer& body) const;

 private:
  struct RefHash {
    size_t operator()(const wire::KeyRef& ref) const;
  };

  void Add(const TokenKey& key, bool current, std::vector<uint32_t> mechanisms,
           std::shared_ptr<TokenGate> gate);

  std::shared_ptr<const ListenerSetup> setup_;
  bool token_present_ = false;
  uint64_t generation_ = 0;
  std::vector<std::vector<uint8_t>> entries_;  // encoded
  std::vector<std::shared_ptr<const ViewKey>> keys_;
  std::unordered_map<wire::KeyRef, const ViewKey*, RefHash> by_ref_;
};

}  // namespace keybroker::broker
