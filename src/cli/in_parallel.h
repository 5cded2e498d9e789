#pragma once

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace keybroker::cli {

// CoresOfOurs is how many cores this process may use (taskset, a container's cpuset).
inline size_t CoresOfOurs() {
  cpu_set_t cores;
  if (::sched_getaffinity(0, sizeof cores, &cores) == 0) {
    return static_cast<size_t>(std::max(1, CPU_COUNT(&cores)));
  }
  return std::max(1U, std::thread::hardware_concurrency());
}

// InParallel calls work(0) to work(count - 1) on as many threads as it has cores, and
// returns when all are done: no thread is left when a process is forked afterwards. work must not
// throw.
template <typename Work>
void InParallel(size_t count, const Work& work) {
  std::atomic<size_t> next{0};
  const auto run = [&] {
    for (size_t i = next++; i < count; i = next++) work(i);
  };
  const size_t cores = CoresOfOurs();
  std::vector<std::thread> threads;
  for (size_t i = 1; i < std::min(count, cores); ++i) threads.emplace_back(run);
  run();
  for (std::thread& thread : threads) thread.join();
}

}  // namespace keybroker::cli
