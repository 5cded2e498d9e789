#include "keybroker/audit/log.h"

#include <time.h>
#include <unistd.h>

#include <cerrno>

#include "audit/head_file.h"
#include "audit/line.h"

namespace keybroker::audit {

// CutBack removes what a failed append left, so that the file ends with a whole record again.
Status Log::CutBack() {
  dirty_ = ::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0;
  if (dirty_) {
    return Fail(SystemError("cannot cut " + path_.string() + " back to its last record", errno));
  }
  return {};
}

// Write appends bytes with one write(2). A short write is a failure: the rest would be a second
// write, and a reader could see the half.
Status Log::Write(std::string_view bytes) {
  if (dirty_) KB_TRY(CutBack());
  ssize_t n = 0;
  do {
    n = ::write(file_.get(), bytes.data(), bytes.size());
  } while (n < 0 && errno == EINTR);
  if (n == static_cast<ssize_t>(bytes.size())) return {};
  const int error = n < 0 ? errno : ENOSPC;
  // The append failed in either case; if cutting back fails too, the next append tries that first.
  [[maybe_unused]] const Status cut = CutBack();
  return Fail(SystemError("cannot append to the audit log " + path_.string(), error));
}

// AppendAfter writes a record with the bytes before it in the same write.
Status Log::AppendAfter(std::string_view before, const Event& event) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const uint64_t sequence = head_.sequence + 1;
  line_.assign(before);
  AppendPrefix(sequence, now.tv_sec, now.tv_nsec, event, head_.hash, &line_);
  KB_ASSIGN(const Hash hash, hasher_->Of(std::string_view(line_).substr(before.size())));
  AppendHash(hash, &line_);
  KB_TRY(Write(line_));

  const Head head{sequence, hash};
  if (Status written = WriteHead(head_file_.get(), head); !written) {
    [[maybe_unused]] const Status cut = CutBack();
    return written;
  }
  size_ += line_.size();
  head_ = head;
  return {};
}

Status Log::Append(const Event& event) { return AppendAfter({}, event); }

Status Log::Sync() {
  // Log first: a head that names a record which is not on the disk would look like a cut.
  if (::fdatasync(file_.get()) != 0 || ::fdatasync(head_file_.get()) != 0) {
    return Fail(SystemError("cannot sync the audit log " + path_.string(), errno));
  }
  return {};
}

}  // namespace keybroker::audit
