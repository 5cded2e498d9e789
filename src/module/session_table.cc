#include "module/session_table.h"

#include <stdlib.h>

#include <new>

namespace keybroker::module {

Session* SessionTable::At(size_t place) const {
  Session* chunk = chunks_[place / kChunk].load(std::memory_order_acquire);
  return chunk == nullptr ? nullptr : chunk + place % kChunk;
}

bool SessionTable::AddChunk() {
  void* memory = malloc(kChunk * sizeof(Session));
  if (memory == nullptr) return false;
  auto* sessions = static_cast<Session*>(memory);
  for (size_t i = 0; i < kChunk; ++i) new (sessions + i) Session();
  chunks_[chunks_used_].store(sessions, std::memory_order_release);
  const auto first = static_cast<uint32_t>(chunks_used_ * kChunk);
  ++chunks_used_;
  for (uint32_t i = kChunk; i > 0; --i) Free(first + i - 1);
  return true;
}

void SessionTable::Free(uint32_t place) {
  At(place)->next_free = free_;
  free_ = place + 1;
}

CK_RV SessionTable::Open(CK_FLAGS flags, CK_SESSION_HANDLE* handle) {
  uint32_t place;
  {
    const Hold hold(mutex_);
    if (free_ == 0) {
      if (chunks_used_ == kChunks) return CKR_SESSION_COUNT;
      if (!AddChunk()) return CKR_HOST_MEMORY;
    }
    place = free_ - 1;
    free_ = At(place)->next_free;
  }
  Session& session = *At(place);
  const Hold hold(session.mutex);
  session.flags = flags;
  session.handle = (++serial_ << kPlaceBits) | place;
  *handle = session.handle;
  ++open_;
  if ((flags & CKF_RW_SESSION) != 0) ++open_read_write_;
  return CKR_OK;
}

Session* SessionTable::Lock(CK_SESSION_HANDLE handle) {
  Session* session = At(handle & (kMaxSessions - 1));
  if (session == nullptr || handle == CK_INVALID_HANDLE) return nullptr;
  session->mutex.Lock();
  if (session->handle == handle) return session;
  session->mutex.Unlock();
  return nullptr;
}

void SessionTable::CloseLocked(Session& session) {
  const auto place = static_cast<uint32_t>(session.handle & (kMaxSessions - 1));
  session.busy = true;
  session.EndSearch();
  session.EndSign();
  session.handle = CK_INVALID_HANDLE;
  --open_;
  if ((session.flags & CKF_RW_SESSION) != 0) --open_read_write_;
  session.busy = false;
  session.mutex.Unlock();
  const Hold hold(mutex_);
  Free(place);
}

void SessionTable::CloseAll() {
  for (size_t place = 0; At(place - place % kChunk) != nullptr; ++place) {
    Session& session = *At(place);
    session.mutex.Lock();
    if (session.handle != CK_INVALID_HANDLE) {
      CloseLocked(session);
    } else {
      session.mutex.Unlock();
    }
    if (place == kMaxSessions - 1) break;
  }
}

void SessionTable::RecreateAfterFork() {
  mutex_.Recreate();
  free_ = 0;
  chunks_used_ = 0;
  size_t open = 0;
  size_t open_read_write = 0;
  while (chunks_used_ < kChunks && At(chunks_used_ * kChunk) != nullptr) ++chunks_used_;
  for (auto place = static_cast<uint32_t>(chunks_used_ * kChunk); place > 0; --place) {
    Session& session = *At(place - 1);
    session.mutex.Recreate();
    if (session.busy) {
      session.search.found.Abandon();
      session.sign.gathered.Abandon();
      session.EndSearch();
      session.EndSign();
      session.busy = false;
    }
    if (session.handle == CK_INVALID_HANDLE) {
      Free(place - 1);
      continue;
    }
    ++open;
    if ((session.flags & CKF_RW_SESSION) != 0) ++open_read_write;
  }
  open_ = open;
  open_read_write_ = open_read_write;
}

}  // namespace keybroker::module
