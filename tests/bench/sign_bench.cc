// Measures signatures through one PKCS#11 module; scripts/bench runs it for each way to a token.
// Several clients are processes of their own, as listeners are; a pipe lets them go together.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "bench/two_hops.h"
#include "support/pkcs11_client.h"

namespace {

using keybroker::Result;
using keybroker::Status;
using keybroker::test::Pkcs11Client;
using keybroker::test::Target;
using keybroker::test::TwoHops;
using Clock = std::chrono::steady_clock;

constexpr char kUsage[] =
    "Usage: sign_bench --module FILE --token LABEL [--label NAME] [--rsa] [--pin-file FILE]\n"
    "                  [--reserved TEXT] [--two-hops] [--clients N] [--milliseconds N]\n"
    "                  | --start | --generate N\n"
    "Prints one JSON object. Each client signs for so many milliseconds (1000), or makes so\n"
    "many signatures. --two-hops puts two processes that only pass messages on between client\n"
    "and module. --start measures from nothing to the first signature; --generate makes N\n"
    "further P-256 keys on the token and measures nothing.\n";

enum class Mode { kRate, kStart, kGenerate };

struct Options {
  Target target;
  Mode mode = Mode::kRate;
  bool two_hops = false;
  unsigned clients = 1;
  unsigned generate = 0;
  unsigned signatures = 0;  // per client; 0: as many as the duration allows
  std::chrono::milliseconds duration{1000};
};

// What a client process writes to its pipe when it is done.
struct Count {
  uint64_t signatures = 0;
  uint64_t microseconds = 0;
  bool failed = false;
};

int Complain(const keybroker::Error& error) {
  std::fprintf(stderr, "sign_bench: %s\n", error.detail.c_str());
  return 1;
}

bool ParseOptions(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    std::string_view name = argv[i];
    if (name == "--rsa") {
      options.target.rsa = true;
      continue;
    }
    if (name == "--two-hops") {
      options.two_hops = true;
      continue;
    }
    if (name == "--start") {
      options.mode = Mode::kStart;
      continue;
    }
    if (++i == argc) return false;
    const char* value = argv[i];
    auto number = static_cast<unsigned>(std::strtoul(value, nullptr, 10));
    if (name == "--module") {
      options.target.module = value;
    } else if (name == "--token") {
      options.target.token = value;
    } else if (name == "--label") {
      options.target.label = value;
    } else if (name == "--pin-file") {
      options.target.pin_file = value;
    } else if (name == "--reserved") {
      options.target.reserved = value;
    } else if (name == "--clients") {
      options.clients = number;
    } else if (name == "--milliseconds") {
      options.duration = std::chrono::milliseconds(number);
    } else if (name == "--signatures") {
      options.signatures = number;
    } else if (name == "--generate") {
      options.mode = Mode::kGenerate;
      options.generate = number;
    } else {
      return false;
    }
  }
  return !options.target.module.empty() && !options.target.token.empty();
}

uint64_t MicrosecondsSince(Clock::time_point begin) {
  auto took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin);
  return static_cast<uint64_t>(took.count());
}

using Sign = std::function<Status()>;

template <typename Way>
Result<Sign> Shared(Result<Way> way) {
  if (!way) return keybroker::Fail(std::move(way).error());
  auto shared = std::make_shared<Way>(std::move(*way));
  return Sign([shared] { return shared->Sign(); });
}

// OpenWay gets one client ready to sign.
Result<Sign> OpenWay(const Options& options) {
  if (options.two_hops) return Shared(TwoHops::Start(options.target));
  return Shared(Pkcs11Client::Open(options.target));
}

// One client: gets ready, says so on `done`, waits for `go` to be closed, signs, writes its Count.
Count RunClient(const Options& options, int done, int go) {
  Count count;
  const Result<Sign> sign = OpenWay(options);
  count.failed = !sign || !(*sign)();
  if (!sign) Complain(sign.error());
  char byte = 'r';
  if (write(done, &byte, 1) != 1 || read(go, &byte, 1) != 0) count.failed = true;
  auto begin = Clock::now();
  auto end = begin + options.duration;
  while (!count.failed &&
         (options.signatures > 0 ? count.signatures < options.signatures : Clock::now() < end)) {
    Status status = (*sign)();
    if (!status) Complain(status.error());
    count.failed = !status;
    ++count.signatures;
  }
  count.microseconds = MicrosecondsSince(begin);
  return count;
}

bool ReadAll(int fd, void* data, size_t size) {
  auto* bytes = static_cast<char*>(data);
  while (size > 0) {
    ssize_t got = read(fd, bytes, size);
    if (got <= 0) return false;
    bytes += got;
    size -= static_cast<size_t>(got);
  }
  return true;
}

int MeasureRate(const Options& options) {
  int done[2];
  int go[2];
  if (pipe(done) != 0 || pipe(go) != 0) return 1;
  bool ok = true;
  // One after the other until each is ready: SoftHSM fails some starts that happen at once.
  for (unsigned i = 0; ok && i < options.clients; ++i) {
    pid_t child = fork();
    if (child < 0) return 1;
    if (child == 0) {
      close(go[1]);
      Count count = RunClient(options, done[1], go[0]);
      bool written = write(done[1], &count, sizeof count) == sizeof count;
      _exit(written && !count.failed ? 0 : 1);
    }
    char ready = 0;
    ok = ReadAll(done[0], &ready, 1) && ready == 'r';
  }
  close(done[1]);
  close(go[0]);
  close(go[1]);
  uint64_t signatures = 0;
  uint64_t longest = 1;
  for (unsigned i = 0; ok && i < options.clients; ++i) {
    Count count;
    ok = ReadAll(done[0], &count, sizeof count) && !count.failed;
    signatures += count.signatures;
    longest = std::max(longest, count.microseconds);
  }
  int status = 0;
  while (wait(&status) > 0) ok = ok && status == 0;
  if (!ok) return 1;
  double seconds = static_cast<double>(longest) / 1e6;
  std::printf("{\"signatures\": %llu, \"seconds\": %.6f, \"per_second\": %.1f}\n",
              static_cast<unsigned long long>(signatures), seconds,
              static_cast<double>(signatures) / seconds);
  return 0;
}

int MeasureStart(const Options& options) {
  auto begin = Clock::now();
  Result<Pkcs11Client> client = Pkcs11Client::Open(options.target);
  if (!client) return Complain(client.error());
  Status status = client->Sign();
  if (!status) return Complain(status.error());
  std::printf("{\"start_us\": %llu}\n", static_cast<unsigned long long>(MicrosecondsSince(begin)));
  return 0;
}

int Generate(Options options) {
  options.target.label.clear();
  Result<Pkcs11Client> client = Pkcs11Client::Open(options.target);
  if (!client) return Complain(client.error());
  Status status = client->GenerateEc("other", options.generate);
  return status ? 0 : Complain(status.error());
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!ParseOptions(argc, argv, options)) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  switch (options.mode) {
    case Mode::kRate:
      return MeasureRate(options);
    case Mode::kStart:
      return MeasureStart(options);
    case Mode::kGenerate:
      return Generate(options);
  }
  return 2;
}
