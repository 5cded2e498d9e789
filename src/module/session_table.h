#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "module/session.h"

namespace keybroker::module {

// kMaxSessions is how many sessions a process can have open. Opening one costs memory only.
inline constexpr size_t kMaxSessions = 65'536;

// SessionTable finds sessions by handle. A handle is a serial number and a place, so that it is
// never given out twice in a process and never 0. Open, Close and the counts take the table's lock;
// the session's own lock is never taken inside it.
class SessionTable {
 public:
  constexpr SessionTable() = default;

  // Open gives a new session's handle; CKR_HOST_MEMORY, or CKR_SESSION_COUNT past kMaxSessions.
  CK_RV Open(CK_FLAGS flags, CK_SESSION_HANDLE* handle);

  // Lock gives the open session of handle, locked; nullptr when there is none.
  Session* Lock(CK_SESSION_HANDLE handle);

  // CloseLocked ends a session that the caller has locked, and unlocks it.
  void CloseLocked(Session& session);

  // CloseAll ends every session, after the calls that are inside them.
  void CloseAll();

  // RecreateAfterFork keeps the sessions open, without what a call of another thread was changing.
  void RecreateAfterFork();

  size_t open() const { return open_.load(); }
  size_t open_read_write() const { return open_read_write_.load(); }

 private:
  static constexpr size_t kChunk = 64;
  static constexpr size_t kChunks = kMaxSessions / kChunk;
  static constexpr int kPlaceBits = 16;
  static_assert(kMaxSessions == size_t{1} << kPlaceBits);

  Session* At(size_t place) const;
  bool AddChunk();
  void Free(uint32_t place);

  Mutex mutex_;  // free_, chunks_used_
  std::atomic<Session*> chunks_[kChunks] = {};
  uint32_t chunks_used_ = 0;
  uint32_t free_ = 0;  // the first free place plus one: the table is all zero, and costs no file
  std::atomic<uint64_t> serial_{0};
  std::atomic<size_t> open_{0};
  std::atomic<size_t> open_read_write_{0};
};

}  // namespace keybroker::module
