#include "keybroker/base/secret_file.h"

#include <unistd.h>

#include <cerrno>
#include <span>
#include <string>
#include <utility>

#include "base/regular_file.h"
#include "keybroker/base/process.h"
#include "keybroker/base/shell_quote.h"

namespace keybroker {
namespace {

constexpr size_t kMaxSecret = 1024;

// OwnName is the name of the user whom the process runs as.
std::string OwnName() {
  const std::string uid = std::to_string(::geteuid());
  const auto user = FindUser(uid);
  return user ? user->name : uid;
}

Error NotReadable(const std::filesystem::path& path) {
  // Whoever is no user of ours must not be told to make the PIN his.
  return Denied(
      "the user \"" + OwnName() + "\", as whom " + path.string() +
      " is read, may not. Run keybroker as root; if that is the tokenhost's user already, "
      "the file must be its: chown " +
      OwnName() + " " + ShellQuote(path.string()) +
      " (and each folder above must let that user through: namei -l " + ShellQuote(path.string()) +
      " shows them)");
}

Status CheckOwner(const std::filesystem::path& path, const struct stat& info) {
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    return Fail(Denied(path.string() + " belongs to uid " + std::to_string(info.st_uid) +
                       ", and is read as the user \"" + OwnName() +
                       "\", whose it must be. A token's own pin_file is read without being named: "
                       "leave it out, and leave it its user's. Any other: chown " +
                       OwnName() + " " + ShellQuote(path.string())));
  }
  if ((info.st_mode & 077) == 0) return {};
  return Fail(Denied(path.string() + " is open to others than its owner: chmod 0600 " +
                     ShellQuote(path.string())));
}

// ReadAll reads to the end of the file, or until there is no more room.
Result<size_t> ReadAll(int fd, std::span<uint8_t> room, const std::filesystem::path& path) {
  size_t size = 0;
  while (size < room.size()) {
    const ssize_t n = ::read(fd, room.data() + size, room.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Fail(SystemError("cannot read " + path.string(), errno));
    if (n == 0) break;
    size += static_cast<size_t>(n);
  }
  return size;
}

}  // namespace

Result<Secret> ReadSecretFile(const std::filesystem::path& path) {
  struct stat info {};
  auto opened = OpenRegular(path, &info);
  if (!opened && opened.error().code == ErrorCode::kDenied) return Fail(NotReadable(path));
  KB_ASSIGN(const UniqueFd fd, std::move(opened));
  KB_TRY(CheckOwner(path, info));
  KB_ASSIGN(Secret secret, Secret::Allocate(kMaxSecret));
  KB_ASSIGN(const size_t size, ReadAll(fd.get(), secret.Buffer(), path));
  if (size == secret.capacity())
    return Fail(Malformed(path.string() + " is too long for a secret"));
  secret.SetSize(size);
  size_t end = 0;
  while (end < size && secret.Expose()[end] != '\n' && secret.Expose()[end] != '\r') ++end;
  secret.Truncate(end);
  if (secret.empty()) return Fail(Malformed(path.string() + ": the first line is empty"));
  return secret;
}

Result<SecretFile> ReadWholeSecretFile(const std::filesystem::path& path, size_t max_size) {
  struct stat info {};
  KB_ASSIGN(const UniqueFd fd, OpenRegular(path, &info));
  const auto expected = static_cast<size_t>(info.st_size);
  if (expected > max_size) {
    return Fail(
        Malformed(path.string() + " is larger than " + std::to_string(max_size) + " bytes"));
  }
  SecretFile file;
  file.mode = info.st_mode & 07777;
  KB_ASSIGN(file.content, Secret::Allocate(expected + 1));
  KB_ASSIGN(const size_t size, ReadAll(fd.get(), file.content.Buffer(), path));
  if (size > expected) return Fail(Unavailable(path.string() + " grew while it was read"));
  file.content.SetSize(size);
  return file;
}

}  // namespace keybroker
