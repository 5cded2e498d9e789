#pragma once

#include "module/connection.h"

namespace keybroker::module {

// Pool is every connection of this process: one per call that is under way, and idle ones for the
// next calls. The list only grows, by its head, so that it is whole at the moment of any fork.
// Locking is the caller's.
class Pool {
 public:
  constexpr Pool() = default;

  // TakeIdle gives an idle connection, now busy, or nullptr. Those whose descriptor the host has
  // taken for something else are forgotten.
  Connection* TakeIdle();

  // NewBusy gives a busy connection without a descriptor; nullptr when there is no memory.
  Connection* NewBusy();

  // Give puts fd into a busy connection; false when it cannot be examined.
  static bool Give(Connection& connection, int fd);

  // Return makes a busy connection idle, Drop ends it.
  void Return(Connection& connection);
  void Drop(Connection& connection);

  // DropIdle ends all that are idle.
  void DropIdle();

  // HasLiveIdle: the broker still holds the other end of an idle connection. Those that it has
  // ended are dropped.
  bool HasLiveIdle();

  // Interrupt wakes the calls that wait on busy connections: they find them lost.
  void Interrupt();

  // DropInherited closes, in a forked child, what is the parent's. Only ever close(): a shutdown
  // would end the parent's connection. Numbers that another file has now are left alone.
  void DropInherited();

  size_t idle() const { return idle_; }

 private:
  void Close(Connection& connection);

  Connection* first_ = nullptr;
  size_t idle_ = 0;
};

}  // namespace keybroker::module
