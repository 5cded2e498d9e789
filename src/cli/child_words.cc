#include "cli/child_words.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <sstream>
#include <string>

#include "keybroker/base/printable.h"

namespace keybroker::cli {

Result<ChildWords> ChildWords::Make() {
  if (::isatty(STDERR_FILENO) == 0) return ChildWords(UniqueFd());
  UniqueFd memory(::memfd_create("keybroker", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory || ::ftruncate(memory.get(), kMost) != 0 ||
      ::fcntl(memory.get(), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
    return Fail(SystemError("cannot keep what the token's process prints", errno));
  }
  return ChildWords(std::move(memory));
}

void ChildWords::TakeIn() const {
  if (!memory_) return;
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    if (::dup2(memory_.get(), fd) < 0) ::_exit(1);
  }
}

void ChildWords::Print() const {
  if (!memory_) return;
  std::string text(kMost, '\0');
  const ssize_t n = ::pread(memory_.get(), text.data(), text.size(), 0);
  text.resize(n < 0 ? 0 : ::strnlen(text.data(), static_cast<size_t>(n)));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::fprintf(stderr, "%s\n", EscapeUnprintable(line).c_str());
  }
}

}  // namespace keybroker::cli
