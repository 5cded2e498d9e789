#pragma once

#include <utility>

#include "keybroker/base/result.h"
#include "keybroker/base/unique_fd.h"

namespace keybroker::cli {

// ChildWords keeps what a child prints from our terminal until it has ended: whoever has a terminal
// open can change its settings and write to it, also long after the command. Where our standard
// error is none, it has nothing to do. Move-only.
class ChildWords {
 public:
  static constexpr size_t kMost = 65536;  // bytes; what is more gets an error over there

  static Result<ChildWords> Make();

  // TakeIn makes it the standard output and error of this process, the child.
  void TakeIn() const;

  // Print gives to our standard error what came, with everything escaped that steers a terminal.
  void Print() const;

 private:
  explicit ChildWords(UniqueFd memory) : memory_(std::move(memory)) {}

  UniqueFd memory_;
};

}  // namespace keybroker::cli
