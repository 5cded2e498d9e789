#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <vector>

#include "support/pkcs11_client.h"
#include "support/sanitized.h"
#include "support/stack.h"

namespace keybroker::test {
namespace {

constexpr unsigned kStartedAtOnce = 64;
// A sanitised client takes a hundred times as long to start; the release build does the hundred.
constexpr unsigned kRounds = KB_SANITIZED ? 5 : 100;

// One client from nothing to a signature; waits for the gate to be closed first.
[[noreturn]] void RunClient(const Target& target, int gate) {
  char byte;
  if (read(gate, &byte, 1) != 0) _exit(2);
  auto client = Pkcs11Client::Open(target);
  Status status = client ? client->Sign() : Status(Fail(client.error()));
  if (!status) std::fprintf(stderr, "%s\n", status.error().detail.c_str());
  _exit(status ? 0 : 1);
}

unsigned FailuresOfOneRound(const Target& target) {
  int gate[2];
  if (pipe(gate) != 0) return kStartedAtOnce;
  std::vector<pid_t> children;
  for (unsigned i = 0; i < kStartedAtOnce; ++i) {
    pid_t child = fork();
    if (child == 0) {
      close(gate[1]);
      RunClient(target, gate[0]);
    }
    children.push_back(child);
  }
  close(gate[0]);
  close(gate[1]);
  unsigned failures = 0;
  for (pid_t child : children) {
    int status = -1;
    waitpid(child, &status, 0);
    failures += status == 0 ? 0U : 1U;
  }
  return failures;
}

TEST(ManyClients, SixtyFourStartedAtOnceAllSignInEveryRound) {
  auto stack = Stack::Make();
  ASSERT_TRUE(stack) << stack.error().detail;
  Target target = (*stack)->ModuleTarget("https", "ec");
  for (unsigned round = 1; round <= kRounds; ++round) {
    ASSERT_EQ(FailuresOfOneRound(target), 0U) << "in round " << round;
  }
}

}  // namespace
}  // namespace keybroker::test
