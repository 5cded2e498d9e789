#include "keybroker/token/pin_guard.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "keybroker/base/file.h"
#include "keybroker/base/hex.h"
#include "keybroker/config/toml.h"
#include "keybroker/cryptoki/names.h"

namespace keybroker::token {
namespace {

// With three tries on the usual smartcard, two attempts of unknown outcome leave one.
constexpr int64_t kMaxUnresolved = 2;

constexpr const char* kAdvice = "; check the PIN source, then allow one try with: ";

struct Record {
  int64_t unresolved = 0;     // attempts begun whose outcome was never written
  std::string refused;        // CKR_PIN_INCORRECT or CKR_PIN_LOCKED, when the last one said so
  std::string refused_typed;  // the same of a PIN that was typed
  bool allowed = false;       // the operator's word for one try

  std::string& RefusedOf(PinOrigin origin) {
    return origin == PinOrigin::kTyped ? refused_typed : refused;
  }
};

Result<Record> ReadRecord(const std::filesystem::path& path) {
  const auto text = ReadFile(path);
  if (!text && text.error().code == ErrorCode::kNotFound) return Record{};
  if (!text) return Fail(text.error());
  KB_ASSIGN(const config::TomlFile toml, config::TomlFile::Parse(*text, path.string()));
  Record record;
  record.unresolved = toml.root().Integer("unresolved", 0, 0, 1000);
  record.refused = toml.root().String("refused", "");
  record.refused_typed = toml.root().String("refused_typed", "");
  record.allowed = toml.root().Bool("allowed", false);
  KB_TRY(toml.Check());
  return record;
}

Status WriteRecord(const std::filesystem::path& path, const Record& record) {
  const std::string text = "unresolved = " + std::to_string(record.unresolved) +
                           "\nrefused = " + config::TomlQuote(record.refused) +
                           "\nrefused_typed = " + config::TomlQuote(record.refused_typed) +
                           "\nallowed = " + (record.allowed ? "true\n" : "false\n");
  return WriteFileAtomically(path, text, 0600);
}

// WhyBlocked advises the command unlock.
std::string WhyBlocked(const Record& record, PinOrigin origin, CK_FLAGS flags,
                       const std::string& unlock) {
  if ((flags & CKF_USER_PIN_LOCKED) != 0)
    return "the token has locked the PIN; the SO must set a new one";
  if (record.allowed) return {};
  if ((flags & CKF_USER_PIN_FINAL_TRY) != 0) {
    return std::string("the token says that the next wrong PIN locks it") + kAdvice + unlock;
  }
  if (origin == PinOrigin::kTyped && !record.refused_typed.empty()) {
    return "the last PIN that was typed was refused (" + record.refused_typed +
           "), and the next may cost the last try; be sure of it, then allow one with: " + unlock;
  }
  if (origin == PinOrigin::kStanding && !record.refused.empty()) {
    return "the last login was refused (" + record.refused + ")" + kAdvice + unlock;
  }
  if (record.unresolved >= kMaxUnresolved) {
    return std::to_string(record.unresolved) +
           " logins in a row were cut short, and each may have cost a try" + kAdvice + unlock;
  }
  return {};
}

// CheckDirectory makes the directory where it is missing. Whoever can write there can forgive wrong
// PINs until the token locks, so nobody but its owner may.
Status CheckDirectory(const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory.parent_path(), error);
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return Fail(SystemError("cannot make " + directory.string(), errno));
  }
  struct stat info {};
  if (::stat(directory.c_str(), &info) != 0) {
    return Fail(SystemError("cannot look at " + directory.string(), errno));
  }
  if (!S_ISDIR(info.st_mode) || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return Fail(Denied(directory.string() +
                       " must be a directory that only its owner can write to: chmod 0700"));
  }
  return {};
}

// IsRefusal: the PIN itself was turned down, and would be again.
bool IsRefusal(CK_RV rv) {
  switch (rv) {
    case CKR_PIN_INCORRECT:
    case CKR_PIN_LOCKED:
    case CKR_PIN_EXPIRED:
    case CKR_PIN_INVALID:
    case CKR_PIN_LEN_RANGE:
      return true;
    default:
      return false;
  }
}

Result<UniqueFd> Lock(const std::filesystem::path& record) {
  const std::string path = record.string() + ".lock";
  UniqueFd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return Fail(SystemError("cannot open " + path, errno));
  while (::flock(lock.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return Fail(SystemError("cannot lock " + path, errno));
  }
  return lock;
}

}  // namespace

Result<PinGuard> PinGuard::Open(const std::filesystem::path& directory, std::string_view serial,
                                std::string_view name, PinOrigin origin) {
  KB_TRY(CheckDirectory(directory));
  PinGuard guard;
  guard.origin_ = origin;
  guard.unlock_ = "keybroker token unlock " + std::string(name);
  // In hexadecimal, whatever a token calls itself stays a file name.
  const std::string file = Hex({reinterpret_cast<const uint8_t*>(serial.data()), serial.size()});
  guard.record_ = directory / ("serial-" + file + ".toml");
  return guard;
}

Status PinGuard::Begin(CK_FLAGS flags) {
  KB_ASSIGN(UniqueFd lock, Lock(record_));
  KB_ASSIGN(Record record, ReadRecord(record_));
  if (const std::string why = WhyBlocked(record, origin_, flags, unlock_); !why.empty()) {
    return Fail(Denied("no login was tried: " + why));
  }
  ++record.unresolved;
  record.allowed = false;
  if (Status written = WriteRecord(record_, record); !written) {
    Error error = std::move(written).error();
    error.detail =
        "no login was tried, because a wrong PIN could not be remembered: " + error.detail;
    return Fail(std::move(error));
  }
  lock_ = std::move(lock);
  return {};
}

Status PinGuard::End(CK_RV rv) {
  Record record;
  if (rv != CKR_OK) {
    // A failure that is not about the PIN (no token, no session) was no try; what was known before
    // still holds, or a token that fails now and then would wash a wrong PIN clean.
    KB_ASSIGN(record, ReadRecord(record_));
    if (record.unresolved > 0) --record.unresolved;
    if (IsRefusal(rv)) record.RefusedOf(origin_) = cryptoki::RvName(rv);
  }
  Status written = WriteRecord(record_, record);
  // Not by closing alone: a process that was forked meanwhile holds the same lock.
  if (lock_) ::flock(lock_.get(), LOCK_UN);
  lock_.Reset();
  return written;
}

Status PinGuard::Allow() {
  KB_ASSIGN(const UniqueFd lock, Lock(record_));
  // The operator's word also mends a record that cannot be read.
  Record record = ReadRecord(record_).value_or(Record{});
  record.allowed = true;
  return WriteRecord(record_, record);
}

Result<std::string> PinGuard::Blocked(CK_FLAGS flags) const {
  KB_ASSIGN(const Record record, ReadRecord(record_));
  return WhyBlocked(record, origin_, flags, unlock_);
}

}  // namespace keybroker::token
