#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "keybroker/base/result.h"

namespace keybroker {

// Secret holds a PIN, a password or key material: in pages of its own that are locked, left out
// of core dumps and not inherited by a fork, and wiped before they are freed. Move-only; the one
// way to the bytes is Expose(), so that `grep Expose` finds every use. A forked child may destroy
// its parent's Secrets, and must do nothing else with them: the bytes are not there.
class Secret {
 public:
  Secret() = default;
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret();

  // Allocate makes a Secret of size zero bytes with room for capacity bytes. Fails Internal when
  // memory cannot be mapped; when it cannot be locked (RLIMIT_MEMLOCK) the pages stay unlocked,
  // which IsLocked() tells.
  static Result<Secret> Allocate(size_t capacity);

  // CopyFrom makes a Secret of bytes. The caller still owns, and must wipe, the source.
  static Result<Secret> CopyFrom(std::span<const uint8_t> bytes);
  static Result<Secret> CopyFrom(std::string_view text);

  // Clone makes a second Secret with the same content.
  Result<Secret> Clone() const;

  // Append adds one byte, as a prompt reads them; false when the capacity is used up.
  [[nodiscard]] bool Append(uint8_t byte);

  // Truncate shortens to size bytes and wipes the rest.
  void Truncate(size_t size);

  // Expose gives the bytes; they live as long as this Secret is neither moved from nor destroyed.
  std::span<const uint8_t> Expose() const { return {data_, size_}; }

  // Buffer gives capacity() writable bytes for a read(2) into place; follow it with SetSize.
  std::span<uint8_t> Buffer() { return {data_, capacity_}; }
  void SetSize(size_t size);

  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  bool empty() const { return size_ == 0; }
  bool IsLocked() const { return locked_; }

  // Equals compares in time that depends on the lengths only.
  bool Equals(const Secret& other) const;

 private:
  void Destroy();

  uint8_t* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
  size_t mapped_ = 0;
  pid_t owner_ = 0;  // the process whose memory it is
  bool locked_ = false;
};

// Wipe overwrites memory so that the compiler cannot leave it out.
void Wipe(void* data, size_t size);

}  // namespace keybroker
