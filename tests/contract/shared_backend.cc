#include <gtest/gtest.h>

#include "contract/backend.h"

namespace keybroker::contract {
namespace {

std::unique_ptr<Backend> shared;
std::unique_ptr<Backend> (*maker)() = nullptr;

class EndOfShared : public testing::Environment {
 public:
  void TearDown() override { shared.reset(); }
};

}  // namespace

Backend& Shared(std::unique_ptr<Backend> (*make)()) {
  [[maybe_unused]] static const auto* end = testing::AddGlobalTestEnvironment(new EndOfShared);
  if (shared == nullptr || maker != make) {
    shared.reset();  // two would be in each other's way: SoftHSM is one library
    shared = make();
    maker = make;
  }
  return *shared;
}

}  // namespace keybroker::contract
