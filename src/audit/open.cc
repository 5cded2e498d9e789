#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "audit/head_file.h"
#include "audit/line.h"
#include "audit/tail.h"
#include "keybroker/audit/log.h"
#include "keybroker/base/file.h"

namespace keybroker::audit {
namespace {

Result<UniqueFd> OpenRegular(const std::filesystem::path& path, int flags, uint64_t* size) {
  UniqueFd fd(
      ::open(path.c_str(), flags | O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!fd) return Fail(SystemError("cannot open the audit log " + path.string(), errno));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return Fail(SystemError("fstat " + path.string(), errno));
  if (!S_ISREG(info.st_mode)) return Fail(Malformed(path.string() + " is not a regular file"));
  *size = static_cast<uint64_t>(info.st_size);
  return fd;
}

Event RecoveredEvent(std::string_view detail) {
  Event event;
  event.action = kRecovered;
  event.subject = "audit";
  event.uid = ::geteuid();
  event.pid = ::getpid();
  event.result = "ok";
  event.detail = detail;
  return event;
}

// HeadFault says how the head file disagrees with the log; empty when it does not. A kill between
// the two writes leaves it one record behind.
std::string HeadFault(const std::optional<Head>& head, const Tail& tail) {
  const Head& last = tail.last;
  const bool fresh = last.sequence == 0 && !tail.torn;
  if (!head) return fresh ? "" : "the head file was missing or unreadable";
  const std::string numbers = "the head file knew " + std::to_string(head->sequence) +
                              " records, the log " + std::to_string(last.sequence);
  if (head->sequence != last.sequence) return numbers;
  if (head->hash != last.hash) {
    return "the head file knew another last record than the log";
  }
  return {};
}

}  // namespace

Result<Log> Log::Open(const std::filesystem::path& file) {
  Log log;
  log.path_ = file;
  KB_ASSIGN(log.file_, OpenRegular(file, O_APPEND, &log.size_));
  if (::flock(log.file_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Fail(SystemError("cannot lock " + file.string(), errno));
    return Fail(Conflict("another process is writing the audit log " + file.string() +
                         "; stop it first (a chain has one writer)"));
  }
  struct stat info {};
  if (::fstat(log.file_.get(), &info) != 0) return Fail(SystemError("fstat", errno));
  log.size_ = static_cast<uint64_t>(info.st_size);  // as it is under the lock
  uint64_t head_size = 0;
  KB_ASSIGN(log.head_file_, OpenRegular(HeadPath(file), 0, &head_size));
  KB_ASSIGN(log.hasher_, Hasher::Make());
  if (log.size_ == 0 || head_size == 0) KB_TRY(SyncDirectoryOf(file));
  KB_TRY(log.Recover());
  return log;
}

// Recover finds the place where the chain goes on and writes down whatever is not as the last
// writer left it. When the head file knows records that the log has not, the chain goes on behind
// the missing ones: that they are missing must show for ever.
Status Log::Recover() {
  KB_ASSIGN(const Tail tail, ReadTail(file_.get(), size_, *hasher_));
  const auto head = ReadHead(head_file_.get());
  const bool known = head && head->sequence != 0;
  if (tail.last.sequence == 0 && tail.torn && !known && !tail.readable) {
    return Fail(Malformed(path_.string() + " has no record at its end and no usable head file; " +
                          "move both files away and keep them, then start again"));
  }
  head_ = known && head->sequence > tail.last.sequence ? *head : tail.last;

  std::string detail = !tail.torn ? "" : TornDetail(tail.torn_size, tail.torn_hash);
  const std::string fault = HeadFault(head, tail);
  if (!fault.empty()) detail += (detail.empty() ? "" : "; ") + fault;
  if (!detail.empty()) {
    return AppendAfter(tail.torn && !tail.ended ? "\n" : "", RecoveredEvent(detail));
  }
  return WriteHead(head_file_.get(), head_);
}

}  // namespace keybroker::audit
