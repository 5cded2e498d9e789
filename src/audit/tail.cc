#include "audit/tail.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "audit/line.h"

namespace keybroker::audit {
namespace {

// Two crashes in a row can leave two torn lines; more than this is damage of another kind.
constexpr uint64_t kReach = 4 * kMaxLine;

Result<std::string> ReadEnd(int fd, uint64_t size) {
  const uint64_t want = std::min(size, kReach);
  std::string bytes(want, '\0');
  size_t done = 0;
  while (done < want) {
    const ssize_t n =
        ::pread(fd, bytes.data() + done, want - done, static_cast<off_t>(size - want + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Fail(SystemError("cannot read the audit log", errno));
    if (n == 0) return Fail(Internal("the audit log became shorter while it was opened"));
    done += static_cast<size_t>(n);
  }
  return bytes;
}

Status SetTorn(std::string_view text, Hasher& hasher, Tail* tail) {
  tail->torn = !text.empty();
  tail->ended = text.ends_with('\n');
  if (tail->ended) text.remove_suffix(1);
  tail->torn_size = text.size();
  KB_ASSIGN(tail->torn_hash, hasher.Of(text));
  return {};
}

}  // namespace

Result<Tail> ReadTail(int fd, uint64_t size, Hasher& hasher) {
  KB_ASSIGN(const std::string bytes, ReadEnd(fd, size));
  const std::string_view text = bytes;
  Tail tail;
  // end is just behind a newline; the line before it is tried, and then the one before that.
  for (size_t end = text.rfind('\n') + 1; end > 0;) {
    const size_t before = end < 2 ? std::string_view::npos : text.rfind('\n', end - 2);
    const size_t begin = before == std::string_view::npos ? 0 : before + 1;
    const auto line = ParseLine(text.substr(begin, end - 1 - begin));
    if (line) {
      KB_ASSIGN(const Hash hash, hasher.Of(line->prefix));
      if (hash == line->hash) {
        tail.last = Head{line->sequence, line->hash};
        KB_TRY(SetTorn(text.substr(end), hasher, &tail));
        return tail;
      }
    }
    end = begin;
  }
  tail.readable = size <= kReach;
  KB_TRY(SetTorn(text, hasher, &tail));
  return tail;
}

}  // namespace keybroker::audit
