#include "module/view.h"

#include <string.h>

namespace keybroker::module {

void View::NoteHello(const wire::HelloReply& reply, uint64_t now_ms) {
  NotePage(reply.generation, reply.token_present, now_ms);
  const size_t size =
      reply.listener.size() < sizeof listener_ ? reply.listener.size() : sizeof listener_;
  if (size != 0) memcpy(listener_, reply.listener.data(), size);
  listener_size_ = static_cast<uint8_t>(size);
}

void View::NotePage(uint64_t generation, bool token_present, uint64_t now_ms) {
  generation_ = generation;
  token_present_ = token_present;
  heard_ms_ = now_ms;
  used_count_ = 0;
}

Catalogue* View::Replace(Catalogue* catalogue) {
  Catalogue* old = catalogue_;
  catalogue_ = catalogue;
  return old;
}

Catalogue* View::Current() const {
  return catalogue_ != nullptr && catalogue_->generation() == generation_ ? Latest() : nullptr;
}

Catalogue* View::Latest() const {
  if (catalogue_ != nullptr) catalogue_->Take();
  return catalogue_;
}

bool View::IsFresh(uint64_t now_ms) const {
  return heard_ms_ != 0 && now_ms - heard_ms_ < kFreshMs;
}

bool View::UseUp(uint64_t search) {
  if (used_count_ == kMaxSearches || (used_count_ != 0 && search == kAnySearch)) return false;
  for (uint8_t i = 0; i < used_count_; ++i) {
    if (used_[i] == search) return false;
  }
  used_[used_count_++] = search;
  return true;
}

}  // namespace keybroker::module
