#include "keybroker/base/secret_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "keybroker/base/unique_fd.h"

namespace keybroker {
namespace {

Error CannotRead(const std::filesystem::path& path, int error) {
  const std::string what = "cannot read " + path.string();
  if (error == ENOENT || error == ENOTDIR) return NotFound(what + ": no such file");
  if (error == EACCES || error == EPERM) return Denied(what + ": permission denied");
  return SystemError(what, error);
}

// ReadInto reads to the end of the file, or until there is no more room.
Result<size_t> ReadInto(int fd, std::span<uint8_t> room, const std::filesystem::path& path) {
  size_t size = 0;
  while (size < room.size()) {
    const ssize_t n = ::read(fd, room.data() + size, room.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Fail(CannotRead(path, errno));
    if (n == 0) break;
    size += static_cast<size_t>(n);
  }
  return size;
}

}  // namespace

Result<SecretFile> ReadWholeSecretFile(const std::filesystem::path& path, size_t max_size) {
  // O_NONBLOCK: a FIFO put in the file's place must not hang us.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) != 0) return Fail(CannotRead(path, errno));
  if (!S_ISREG(info.st_mode)) return Fail(Malformed(path.string() + " is not a regular file"));
  const auto expected = static_cast<size_t>(info.st_size);
  if (expected > max_size) {
    return Fail(
        Malformed(path.string() + " is larger than " + std::to_string(max_size) + " bytes"));
  }
  SecretFile file;
  file.mode = info.st_mode & 07777;
  KB_ASSIGN(file.content, Secret::Allocate(expected + 1));
  KB_ASSIGN(const size_t size, ReadInto(fd.get(), file.content.Buffer(), path));
  if (size > expected) return Fail(Unavailable(path.string() + " grew while it was read"));
  file.content.SetSize(size);
  return file;
}

}  // namespace keybroker
