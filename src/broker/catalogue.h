#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/wire/catalogue.h"

namespace keybroker::broker {

// TokenKey is one key pair as its tokenhost described it.
struct TokenKey {
  wire::KeyRef ref{};
  cryptoki::KeyType type = cryptoki::KeyType::kRsa;
  uint32_t bits = 0;
  std::vector<uint8_t> id;  // CKA_ID
  std::string name;         // CKA_LABEL: the key name
  std::vector<uint8_t> public_first;
  std::vector<uint8_t> public_second;
  std::vector<uint32_t> mechanisms;  // what the token can do with it, closed list only
  std::vector<uint8_t> certificate;  // DER; empty: none
};

// TokenCatalogue is everything one token has, at one generation.
struct TokenCatalogue {
  uint64_t generation = 0;
  bool token_present = false;
  std::vector<TokenKey> keys;
};

// kMaxKeys bounds what a tokenhost can make the broker hold.
inline constexpr uint32_t kMaxKeys = 65536;

// AppendPage adds a page's entries to catalogue. The page must be the next one: of the catalogue's
// generation (any when catalogue is still empty), beginning where it ends. Malformed otherwise.
Status AppendPage(wire::Bytes body, TokenCatalogue& catalogue, uint32_t& total);

}  // namespace keybroker::broker
