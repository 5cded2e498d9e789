#include "cli/backup_password.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <unistd.h>

#include <set>
#include <string_view>

#include "cli/answer.h"
#include "keybroker/base/unique_fd.h"
#include "keybroker/base/utf8.h"

namespace keybroker::cli {
namespace {

// 32 characters that nobody mistakes for each other on paper, 5 bits each.
constexpr std::string_view kAlphabet = "abcdefghijkmnpqrstuvwxyz23456789";
static_assert(kAlphabet.size() == 32);
constexpr size_t kGroups = 5;
constexpr size_t kGroupSize = 6;

// Fewer are a pattern: "abababab...".
constexpr size_t kLeastDifferent = 5;

bool WriteAll(int fd, std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return true;
}

Result<Secret> Generate() {
  KB_ASSIGN(Secret random, Secret::Allocate(kGroups * kGroupSize));
  if (RAND_bytes(random.Buffer().data(), kGroups * kGroupSize) != 1) {
    return Fail(Internal("no random bytes"));
  }
  random.SetSize(kGroups * kGroupSize);
  KB_ASSIGN(Secret text, Secret::Allocate(kGroups * (kGroupSize + 1)));
  for (size_t i = 0; i < random.size(); ++i) {
    const bool joint = i > 0 && i % kGroupSize == 0;
    const char c = kAlphabet[random.Expose()[i] % kAlphabet.size()];
    if ((joint && !text.Append('-')) || !text.Append(static_cast<uint8_t>(c))) {
      return Fail(Internal("the passphrase does not fit"));
    }
  }
  return text;
}

// Show writes to the terminal, past standard output: a passphrase does not belong in a file.
Status Show(const Secret& passphrase) {
  const UniqueFd tty(::open("/dev/tty", O_WRONLY | O_CLOEXEC | O_NOCTTY));
  if (!tty) {
    return Fail(
        Denied("--generate shows the passphrase once, on a terminal, and there is none: "
               "give a password with --password-file or --password-fd"));
  }
  constexpr std::string_view kBefore =
      "The backup's passphrase, shown this once. Into the safe:\n\n  ";
  const auto bytes = [](std::string_view text) {
    return std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size());
  };
  if (!WriteAll(tty.get(), bytes(kBefore)) || !WriteAll(tty.get(), passphrase.Expose()) ||
      !WriteAll(tty.get(), bytes("\n\n"))) {
    return Fail(Internal("the passphrase could not be shown on the terminal; nothing was made"));
  }
  return {};
}

}  // namespace

Status CheckBackupPassword(const Secret& password, size_t least, const std::string& setting) {
  std::string_view text(reinterpret_cast<const char*>(password.Expose().data()), password.size());
  size_t characters = 0;
  std::set<std::string_view> different;  // views of the password; nothing is copied
  for (; !text.empty(); ++characters) {
    const size_t size = Utf8Sequence(text);
    if (size == 0) {
      return Fail(Malformed("the password is not UTF-8: no other program would read it alike"));
    }
    different.insert(text.substr(0, size));
    text.remove_prefix(size);
  }
  const std::string for_years = " for a file that anybody may try to open for years: ";
  if (characters < least) {
    return Fail(Denied("the password is too short" + for_years + "at least " +
                       std::to_string(least) + " characters (" + setting +
                       "), several random words for instance; or --generate"));
  }
  if (different.size() >= kLeastDifferent) return {};
  return Fail(Denied("the password has too few different characters" + for_years + "at least " +
                     std::to_string(kLeastDifferent) +
                     ", several random words for instance; or --generate"));
}

Result<Secret> AskBackupPassword(const PinOptions& options) {
  return AskPin(options, "password of the backup", false);
}

Result<Secret> NewBackupPassword(const config::Settings& settings, const PinOptions& options,
                                 bool generate) {
  if (generate && options.Given()) {
    return Fail(WrongUsage("--generate makes a password, so none can be given"));
  }
  if (generate) {
    KB_ASSIGN(Secret passphrase, Generate());
    KB_TRY(Show(passphrase));
    return passphrase;
  }
  KB_ASSIGN(Secret password, AskPin(options, "new password for the backup", true));
  KB_TRY(CheckBackupPassword(password, settings.backup_password_length,
                             "password_length in [backup] of " + settings.file.string()));
  return password;
}

}  // namespace keybroker::cli
