#include "module/fork_mark.h"

#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include <new>

namespace keybroker::module {
namespace {

constexpr uint32_t kWiped = 0;
constexpr uint32_t kSettling = 1;
constexpr uint32_t kSettled = 2;

}  // namespace

std::atomic<uint32_t>* ForkMark::NewPage() {
  const long page_size = sysconf(_SC_PAGESIZE);
  const auto size = static_cast<size_t>(page_size > 0 ? page_size : 4096);
  void* page = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return &fallback_;
  if (madvise(page, size, MADV_WIPEONFORK) != 0) {
    munmap(page, size);
    return &fallback_;
  }
  auto* word = new (page) std::atomic<uint32_t>(kWiped);
  std::atomic<uint32_t>* nobody = nullptr;
  if (page_.compare_exchange_strong(nobody, word)) return word;
  munmap(page, size);
  return nobody;
}

std::atomic<uint32_t>& ForkMark::Word() {
  std::atomic<uint32_t>* word = page_.load(std::memory_order_acquire);
  if (word == nullptr) word = NewPage();
  if (word == &fallback_) {
    page_.store(word);
    int owner = fallback_owner_.load();
    const int self = getpid();
    if (owner != self && fallback_owner_.compare_exchange_strong(owner, self)) {
      fallback_.store(kWiped);
    }
  }
  return *word;
}

bool ForkMark::MustSettle() {
  std::atomic<uint32_t>& word = Word();
  for (;;) {
    uint32_t value = word.load(std::memory_order_acquire);
    if (value == kSettled) return false;
    if (value == kWiped && word.compare_exchange_strong(value, kSettling)) return true;
    sched_yield();
  }
}

void ForkMark::Settled() { Word().store(kSettled, std::memory_order_release); }

}  // namespace keybroker::module
