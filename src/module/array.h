#pragma once

#include <stdlib.h>
#include <string.h>

#include <cstddef>
#include <span>
#include <type_traits>

namespace keybroker::module {

// Array is a growing array of plain values that reports a lack of memory instead of throwing. Owns
// its memory; move it by Swap.
template <class T>
class Array {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  constexpr Array() = default;
  ~Array() { Clear(); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  // Append copies values to the end; false, and nothing changed, when there is no memory for them.
  [[nodiscard]] bool Append(std::span<const T> values) {
    if (!Reserve(values.size())) return false;
    if (!values.empty()) memcpy(items_ + size_, values.data(), values.size_bytes());
    size_ += values.size();
    return true;
  }
  [[nodiscard]] bool Append(const T& value) { return Append(std::span<const T>(&value, 1)); }

  // Clear gives the memory back.
  void Clear() {
    free(items_);
    Abandon();
  }

  // Abandon forgets the memory without giving it back: it may be half-changed by another thread
  // of the process this one was forked from.
  void Abandon() {
    items_ = nullptr;
    size_ = capacity_ = 0;
  }

  void Swap(Array& other) {
    T* items = items_;
    const size_t size = size_;
    const size_t capacity = capacity_;
    items_ = other.items_;
    size_ = other.size_;
    capacity_ = other.capacity_;
    other.items_ = items;
    other.size_ = size;
    other.capacity_ = capacity;
  }

  std::span<const T> items() const { return {items_, size_}; }
  T& operator[](size_t index) { return items_[index]; }
  const T& operator[](size_t index) const { return items_[index]; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  bool Reserve(size_t more) {
    if (more <= capacity_ - size_) return true;
    constexpr size_t kMost = static_cast<size_t>(-1) / sizeof(T) / 2;
    if (more > kMost - size_) return false;
    const size_t needed = size_ + more;
    const size_t wanted = needed < 2 * capacity_ ? 2 * capacity_ : needed;
    void* grown = realloc(items_, wanted * sizeof(T));
    if (grown == nullptr) return false;
    items_ = static_cast<T*>(grown);
    capacity_ = wanted;
    return true;
  }

  T* items_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

}  // namespace keybroker::module
