#pragma once

#include <atomic>
#include <cstdint>

namespace keybroker::module {

// ForkMark tells a process whether it is the one that settled the module's state, or a forked child
// that has only a copy. The mark is a word in a MADV_WIPEONFORK page, which the kernel clears in a
// child; it is read before any lock, since a copied lock may be held by a thread that is not there.
// Where the kernel has no such pages (before 4.14), the process id is compared instead.
class ForkMark {
 public:
  constexpr ForkMark() = default;

  // MustSettle is true for exactly one thread of a process that has not settled yet: it recreates
  // the state and then calls Settled; other threads wait for that. Otherwise false, at the cost of
  // one read.
  bool MustSettle();
  void Settled();

 private:
  std::atomic<uint32_t>& Word();
  std::atomic<uint32_t>* NewPage();

  std::atomic<std::atomic<uint32_t>*> page_{nullptr};
  std::atomic<uint32_t> fallback_{0};
  std::atomic<int> fallback_owner_{0};
};

}  // namespace keybroker::module
