#include "keybroker/base/secret.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace keybroker {
namespace {

// SameBytes takes the same time whatever the bytes are.
bool SameBytes(const uint8_t* a, const uint8_t* b, size_t size) {
  volatile unsigned difference = 0;
  for (size_t i = 0; i < size; ++i) difference = difference | static_cast<unsigned>(a[i] ^ b[i]);
  return difference == 0;
}

}  // namespace

void Wipe(void* data, size_t size) {
  if (size != 0) explicit_bzero(data, size);
}

Secret::Secret(Secret&& other) noexcept { *this = std::move(other); }

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this == &other) return *this;
  Destroy();
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  capacity_ = std::exchange(other.capacity_, 0);
  mapped_ = std::exchange(other.mapped_, 0);
  owner_ = other.owner_;
  locked_ = std::exchange(other.locked_, false);
  return *this;
}

Secret::~Secret() { Destroy(); }

void Secret::Destroy() {
  if (data_ == nullptr) return;
  // In a forked child these pages do not exist, or are something else by now.
  if (owner_ == ::getpid()) {
    Wipe(data_, mapped_);
    ::munmap(data_, mapped_);
  }
  data_ = nullptr;
  size_ = capacity_ = mapped_ = 0;
  locked_ = false;
}

Result<Secret> Secret::Allocate(size_t capacity) {
  const size_t page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t mapped = (capacity / page + 1) * page;
  void* data = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return Fail(SystemError("no memory for a secret", errno));
  ::madvise(data, mapped, MADV_DONTDUMP);
  ::madvise(data, mapped, MADV_DONTFORK);
  Secret secret;
  secret.data_ = static_cast<uint8_t*>(data);
  secret.capacity_ = capacity;
  secret.mapped_ = mapped;
  secret.owner_ = ::getpid();
  secret.locked_ = ::mlock(data, mapped) == 0;
  return secret;
}

Result<Secret> Secret::CopyFrom(std::span<const uint8_t> bytes) {
  KB_ASSIGN(Secret secret, Allocate(bytes.size()));
  if (!bytes.empty()) memcpy(secret.data_, bytes.data(), bytes.size());
  secret.size_ = bytes.size();
  return secret;
}

Result<Secret> Secret::CopyFrom(std::string_view text) {
  return CopyFrom(std::span(reinterpret_cast<const uint8_t*>(text.data()), text.size()));
}

Result<Secret> Secret::Clone() const { return CopyFrom(Expose()); }

bool Secret::Append(uint8_t byte) {
  if (size_ >= capacity_) return false;
  data_[size_++] = byte;
  return true;
}

void Secret::Truncate(size_t size) {
  if (size >= size_) return;
  Wipe(data_ + size, size_ - size);
  size_ = size;
}

void Secret::SetSize(size_t size) { size_ = size < capacity_ ? size : capacity_; }

bool Secret::Equals(const Secret& other) const {
  return size_ == other.size_ && (size_ == 0 || SameBytes(data_, other.data_, size_));
}

}  // namespace keybroker
