#pragma once

#include <cstdint>
#include <string_view>

#include "keybroker/wire/frame.h"
#include "keybroker/wire/hello.h"
#include "module/catalogue.h"
#include "module/limits.h"

namespace keybroker::module {

// View is what this process knows of what the broker shows it, and how old that is. Locking is the
// caller's. In a forked child the catalogue stays, until HelloReply says otherwise.
class View {
 public:
  constexpr View() = default;

  // NoteHello takes over what a new connection says.
  void NoteHello(const wire::HelloReply& reply, uint64_t now_ms);

  // NotePage takes over what a page's head says: an answer about the generation.
  void NotePage(uint64_t generation, bool token_present, uint64_t now_ms);

  // Replace puts catalogue in the place of the old one and gives that back, to be let go of
  // outside the lock; takes over the caller's hold.
  Catalogue* Replace(Catalogue* catalogue);

  // Current gives the catalogue, held for the caller, when it is of the generation last heard of.
  Catalogue* Current() const;

  // Latest gives the catalogue, held for the caller, however old.
  Catalogue* Latest() const;

  // IsFresh: the broker has been asked within kFreshMs.
  bool IsFresh(uint64_t now_ms) const;

  // UseUp is true once for each search and answer of the broker. One key is loaded by several
  // searches, which may believe what was just heard; who repeats a search wants to know what is
  // new, and has the broker asked again. kAnySearch counts as a repetition of every other.
  static constexpr uint64_t kAnySearch = 0;
  bool UseUp(uint64_t search);

  // Doubt makes the next call ask the broker.
  void Doubt() { heard_ms_ = 0; }

  bool token_present() const { return token_present_; }
  std::string_view listener() const { return {listener_, listener_size_}; }

 private:
  Catalogue* catalogue_ = nullptr;
  uint64_t generation_ = 0;
  uint64_t heard_ms_ = 0;             // 0: never, or not to be believed
  uint64_t used_[kMaxSearches] = {};  // the searches that have believed the last answer
  uint8_t used_count_ = 0;
  bool token_present_ = false;
  uint8_t listener_size_ = 0;
  char listener_[wire::kMaxName] = {};
};

}  // namespace keybroker::module
