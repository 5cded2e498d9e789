#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <fstream>

#include "audit/head_file.h"
#include "audit/judge.h"

namespace keybroker::audit {
namespace {

// Reader cuts an open log into lines for a Scanner, in bounded memory.
class Reader {
 public:
  Reader(int fd, Scanner* scanner) : fd_(fd), scanner_(scanner) {}

  // ReadUntil goes on to the end that the file has now, or to the record with this number: however
  // fast it grows meanwhile, this ends.
  Status ReadUntil(uint64_t sequence) {
    struct stat info {};
    if (::fstat(fd_, &info) != 0) return Fail(SystemError("fstat of the audit log", errno));
    for (;;) {
      KB_TRY(TakeLines(sequence));
      if (scanner_->scan().highest >= sequence || read_ >= info.st_size) return {};
      char bytes[65536];
      const off_t left = info.st_size - read_;
      const ssize_t n =
          ::read(fd_, bytes, static_cast<size_t>(std::min<off_t>(sizeof bytes, left)));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return Fail(SystemError("cannot read the audit log", errno));
      if (n == 0) return {};
      read_ += n;
      pending_.append(bytes, static_cast<size_t>(n));
    }
  }

  // InsideLine is true when what was read ends without a newline: a torn line, or one that is just
  // being written.
  bool InsideLine() const { return !pending_.empty() && pending_.find('\n') == std::string::npos; }

  // Finish hands over a line without an end. Whole lines that are left were written meanwhile.
  Status Finish() {
    if (!InsideLine() || skipping_) return {};
    return scanner_->Add(pending_, false);
  }

 private:
  Status TakeLines(uint64_t sequence) {
    size_t begin = 0;
    while (scanner_->scan().highest < sequence) {
      const size_t end = pending_.find('\n', begin);
      if (end == std::string::npos) break;
      if (!skipping_) KB_TRY(scanner_->Add({pending_.data() + begin, end - begin}, true));
      skipping_ = false;
      begin = end + 1;
    }
    pending_.erase(0, begin);
    if (pending_.size() <= kMaxLine || pending_.find('\n') != std::string::npos) return {};
    // No record is that long: its beginning stands for the whole line.
    if (!skipping_) KB_TRY(scanner_->Add(pending_, true));
    skipping_ = true;
    pending_.clear();
    return {};
  }

  int fd_;
  off_t read_ = 0;
  Scanner* scanner_;
  std::string pending_;
  bool skipping_ = false;
};

Error CannotOpen(const std::filesystem::path& path, int error) {
  if (error == ENOENT) return NotFound("there is no audit log at " + path.string());
  if (error == EACCES) return Denied("permission denied: the audit log " + path.string());
  // As for the writer, who follows none either.
  if (error == ELOOP) {
    return Malformed(path.string() + " is a symbolic link: name the audit log itself");
  }
  return SystemError("cannot open the audit log " + path.string(), error);
}

Result<UniqueFd> OpenToRead(const std::filesystem::path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
  if (!fd) return Fail(CannotOpen(path, errno));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return Fail(SystemError("fstat " + path.string(), errno));
  if (!S_ISREG(info.st_mode)) return Fail(Malformed(path.string() + " is not a regular file"));
  return fd;
}

// WriterAtWork tells whether some process holds the writer's lock (proc(5), /proc/locks); true when
// that cannot be told. Trying the lock instead could make a writer's start fail.
bool WriterAtWork(int fd) {
  struct stat info {};
  std::ifstream locks("/proc/locks");
  if (!locks || ::fstat(fd, &info) != 0) return true;
  const std::string inode = ":" + std::to_string(info.st_ino) + " ";
  for (std::string line; std::getline(locks, line);) {
    if (line.find(" FLOCK ") != std::string::npos && line.find(inode) != std::string::npos) {
      return true;
    }
  }
  return false;
}

// ReadBoth reads log and head so that they agree although a writer may be at work: on to the
// record the head names; and when the log is ahead, the writer is between its two writes, so the
// head is looked at again.
Result<std::optional<Head>> ReadBoth(int log, const std::filesystem::path& file, Reader* reader,
                                     const Scan& scan) {
  constexpr int kTries = 1000;  // a writer may be off the CPU between its two writes for long
  constexpr timespec kPause{0, 2'000'000};
  KB_TRY(reader->ReadUntil(UINT64_MAX));
  std::optional<Head> head;
  for (int i = 0; i < kTries; ++i) {
    const bool writer = WriterAtWork(log);  // when there is none, what is read next is final
    const UniqueFd fd(
        ::open(HeadPath(file).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    head = fd ? ReadHead(fd.get()) : std::nullopt;
    if (!head) break;
    const uint64_t more = reader->InsideLine() ? scan.highest + 1 : 0;
    KB_TRY(reader->ReadUntil(std::max(head->sequence, more)));
    if (!writer || (head->sequence >= scan.highest && !reader->InsideLine())) break;
    ::nanosleep(&kPause, nullptr);
  }
  KB_TRY(reader->Finish());
  return head;
}

}  // namespace

Result<Report> Verify(const std::filesystem::path& file, const Head* known, KnownHead where) {
  KB_ASSIGN(const UniqueFd fd, OpenToRead(file));
  KB_ASSIGN(const auto lines, Hasher::Make());
  KB_ASSIGN(const auto torn, Hasher::Make());
  Scanner scanner(*lines, *torn, known);
  Reader reader(fd.get(), &scanner);
  KB_ASSIGN(const auto head, ReadBoth(fd.get(), file, &reader, scanner.scan()));
  const Scan& scan = scanner.scan();
  Report report;
  report.records = scan.records;
  report.first_time = scan.first_time;
  report.last_time = scan.last_time;
  report.continues = scan.continues;
  report.known_seen = scan.known_seen;
  auto judgement = Judge(scan, head, where == KnownHead::kIsHere ? known : nullptr);
  report.findings = std::move(judgement.findings);
  report.head = judgement.last;
  report.end_unknown = judgement.end_unknown;
  return report;
}

}  // namespace keybroker::audit
