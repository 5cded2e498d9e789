#include "fault/load.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace keybroker::test {

uint64_t MonotonicNs() {
  auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::nanoseconds(now).count());
}

Load::Load(const Target& target, const PublicKey& key, unsigned clients) : clients_(clients) {
  void* shared = mmap(nullptr, clients * sizeof(ClientCount), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) abort();
  counts_ = static_cast<ClientCount*>(shared);
  for (unsigned i = 0; i < clients; ++i) new (counts_ + i) ClientCount;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) abort();
  signed_read_.Reset(ends[0]);
  signed_write_.Reset(ends[1]);
  for (unsigned i = 0; i < clients; ++i) {
    pid_t child = fork();
    if (child < 0) abort();  // a pid of -1 would later be killed as "everybody"
    if (child == 0) RunClient(target, key, i);
    children_.push_back(child);
  }
}

Load::~Load() {
  for (pid_t child : children_) kill(child, SIGKILL);
  for (pid_t child : children_) waitpid(child, nullptr, 0);
  munmap(counts_, clients_ * sizeof(ClientCount));
}

void Load::RunClient(const Target& target, const PublicKey& key, unsigned index) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  ClientCount& count = counts_[index];
  auto client = Pkcs11Client::Open(target);
  if (!client) {
    std::fprintf(stderr, "client %u: %s\n", index, client.error().detail.c_str());
    ++count.failed;
    _exit(1);
  }
  const char name = static_cast<char>(index);
  for (uint64_t n = 0;; ++n) {
    // A digest of its own for each signature: an answer to another request would not verify.
    Digest digest{};
    std::memcpy(digest.data(), &n, sizeof n);
    digest[31] = static_cast<uint8_t>(index);
    uint64_t begin = MonotonicNs();
    Status status = client->Sign(digest);
    ++count.tried;
    if (!status) {
      ++count.failed;
      std::snprintf(count.last_failure, sizeof count.last_failure, "%s",
                    status.error().detail.c_str());
      count.last_failure_took_ns = MonotonicNs() - begin;
      count.last_failure_ns = begin;
    } else if (!key.Verifies(digest, client->signature())) {
      ++count.wrong;
    } else if (write(signed_write_.get(), &name, 1) != 1) {
      continue;  // the pipe is full: nobody is waiting
    }
  }
}

bool Load::AwaitEach(unsigned count) {
  auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  std::array<unsigned char, 65536> names{};
  // What is in the pipe tells of the past.
  while (read(signed_read_.get(), names.data(), names.size()) > 0) {
  }
  std::vector<unsigned> seen(clients_);
  while (std::any_of(seen.begin(), seen.end(), [&](unsigned n) { return n < count; })) {
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd pipe{signed_read_.get(), POLLIN, 0};
    if (left.count() <= 0 || poll(&pipe, 1, static_cast<int>(left.count())) <= 0) return false;
    ssize_t got = read(signed_read_.get(), names.data(), names.size());
    for (ssize_t i = 0; i < got; ++i) ++seen[names[static_cast<size_t>(i)]];
  }
  return true;
}

uint64_t Load::Tried() const {
  uint64_t sum = 0;
  for (unsigned i = 0; i < clients_; ++i) sum += counts_[i].tried;
  return sum;
}

uint64_t Load::Failed() const {
  uint64_t sum = 0;
  for (unsigned i = 0; i < clients_; ++i) sum += counts_[i].failed;
  return sum;
}

uint64_t Load::Wrong() const {
  uint64_t sum = 0;
  for (unsigned i = 0; i < clients_; ++i) sum += counts_[i].wrong;
  return sum;
}

std::vector<std::string> Load::FailedSince(uint64_t moment_ns) const {
  std::vector<std::string> lines;
  for (unsigned i = 0; i < clients_; ++i) {
    const ClientCount& count = counts_[i];
    const uint64_t began = count.last_failure_ns;
    if (began <= moment_ns) continue;
    lines.push_back("client " + std::to_string(i) + ", " +
                    std::to_string((began - moment_ns) / 1000) + " us after, took " +
                    std::to_string(count.last_failure_took_ns / 1000) +
                    " us: " + count.last_failure);
  }
  return lines;
}

}  // namespace keybroker::test
