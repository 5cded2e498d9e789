#include "broker/view.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "broker/token_gate.h"
#include "keybroker/base/hex.h"

namespace keybroker::broker {
namespace {

// Fnv64 is FNV-1a over 64 bits: a name for content, not a proof of it.
class Fnv64 {
 public:
  void Add(wire::Bytes bytes) {
    for (const uint8_t byte : bytes) value_ = (value_ ^ byte) * 0x100000001b3ULL;
  }
  uint64_t NeverZero() const { return value_ == 0 ? 1 : value_; }

 private:
  uint64_t value_ = 0xcbf29ce484222325ULL;
};

// Both is what policy permits and the token can do.
std::vector<uint32_t> Both(const policy::Listener& listener, const TokenKey& key) {
  std::vector<uint32_t> both;
  for (const CK_MECHANISM_TYPE mechanism :
       policy::PermittedMechanisms(listener, {key.name, key.type, key.bits})) {
    const auto able = std::find(key.mechanisms.begin(), key.mechanisms.end(), mechanism);
    if (able != key.mechanisms.end() && both.size() < wire::kMaxMechanisms) both.push_back(*able);
  }
  return both;
}

std::vector<uint8_t> EncodeEntry(const TokenKey& key, bool current,
                                 const std::vector<uint32_t>& mechanisms) {
  wire::CatalogueEntry entry{};
  entry.key = key.ref;
  entry.type = key.type;
  entry.bits = key.bits;
  entry.id = key.id;
  if (current) entry.label = key.name;
  entry.public_first = key.public_first;
  entry.public_second = key.public_second;
  entry.mechanism_count = static_cast<uint8_t>(mechanisms.size());
  std::copy(mechanisms.begin(), mechanisms.end(), entry.mechanisms.begin());
  entry.certificate = key.certificate;
  // Each field came off the wire within its limit, so that an entry always fits.
  std::vector<uint8_t> buffer(32 * 1024);
  wire::Writer writer(buffer);
  wire::Encode(entry, writer);
  buffer.resize(writer.size());
  buffer.shrink_to_fit();
  return buffer;
}

}  // namespace

size_t View::RefHash::operator()(const wire::KeyRef& ref) const {
  size_t value = 0;
  std::memcpy(&value, ref.data(), sizeof value);  // a SHA-256 is a hash already
  return value;
}

View::View(std::shared_ptr<const ListenerSetup> setup, const std::vector<TokenKeys>& tokens,
           const std::vector<KnownKey>& keys)
    : setup_(std::move(setup)) {
  for (const TokenKeys& token : tokens) {
    token_present_ = token_present_ || (token.catalogue && token.catalogue->token_present);
  }
  for (const KnownKey& known : keys) {
    auto mechanisms = Both(setup_->policy, *known.key);
    if (mechanisms.empty()) continue;
    Add(*known.key, known.current, std::move(mechanisms), tokens[known.token].gate);
  }
  Fnv64 hash;
  const uint8_t present = token_present_ ? 1 : 0;
  hash.Add({&present, 1});
  for (const auto& entry : entries_) hash.Add(entry);
  generation_ = hash.NeverZero();
}

void View::Add(const TokenKey& key, bool current, std::vector<uint32_t> mechanisms,
               std::shared_ptr<TokenGate> gate) {
  entries_.push_back(EncodeEntry(key, current, mechanisms));
  keys_.push_back(std::make_shared<const ViewKey>(ViewKey{
      key.name, Hex(key.id), key.type, key.bits, current, std::move(mechanisms), std::move(gate)}));
  by_ref_.emplace(key.ref, keys_.back().get());
}

const ViewKey* View::Find(const wire::KeyRef& ref) const {
  const auto found = by_ref_.find(ref);
  return found == by_ref_.end() ? nullptr : found->second;
}

bool View::MayAsk(uid_t uid) const {
  return std::find(setup_->uids.begin(), setup_->uids.end(), uid) != setup_->uids.end();
}

void View::EncodePage(const wire::CatalogueRequest& request, wire::Writer& body) const {
  const auto total = static_cast<uint32_t>(entries_.size());
  const bool same = request.generation == 0 || request.generation == generation_;
  const uint32_t first = same ? std::min(request.first, total) : 0;
  size_t room = wire::kMaxMessage - wire::kHeaderSize - wire::kCataloguePageHead;
  uint16_t count = 0;
  while (first + count < total && count < 0xffff && entries_[first + count].size() <= room) {
    room -= entries_[first + count].size();
    ++count;
  }
  wire::Encode(wire::CataloguePage{generation_, total, first, count, token_present_}, body);
  for (uint32_t i = first; i < first + count; ++i) body.Raw(entries_[i]);
}

}  // namespace keybroker::broker
