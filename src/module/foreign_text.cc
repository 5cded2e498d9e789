#include "module/foreign_text.h"

#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#include "keybroker/base/unique_fd.h"

namespace keybroker::module {
namespace {

// No page is smaller, so bytes of one such block are all readable or all not.
constexpr uintptr_t kBlock = 4096;

// Copies bytes of one block through a pipe: the kernel answers EFAULT where a read of ours would
// end the process. process_vm_readv would do as well, but seccomp filters that systemd units are
// hardened with kill a process for it. Not write(): sanitizers look at its buffer first.
bool CopyBlock(int in, int out, uintptr_t from, char* to, size_t size) {
  if (syscall(SYS_write, in, from, size) != static_cast<long>(size)) return false;
  return read(out, to, size) == static_cast<ssize_t>(size);
}

}  // namespace

ForeignText CopyForeignText(const void* pointer, std::span<char> copy, size_t* size) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return ForeignText::kNoDescriptor;
  const UniqueFd out(ends[0]);
  const UniqueFd in(ends[1]);
  size_t copied = 0;
  while (copied < copy.size()) {
    const uintptr_t address = reinterpret_cast<uintptr_t>(pointer) + copied;
    size_t part = kBlock - address % kBlock;
    if (part > copy.size() - copied) part = copy.size() - copied;
    char* to = copy.data() + copied;
    if (!CopyBlock(in.get(), out.get(), address, to, part)) return ForeignText::kUnreadable;
    const void* end = memchr(to, '\0', part);
    if (end != nullptr) {
      *size = copied + static_cast<size_t>(static_cast<const char*>(end) - to);
      return ForeignText::kCopied;
    }
    copied += part;
  }
  return ForeignText::kTooLong;
}

}  // namespace keybroker::module
