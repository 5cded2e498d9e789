#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "broker/token_gate.h"
#include "broker/token_link.h"
#include "keybroker/base/result.h"
#include "keybroker/base/unique_fd.h"

namespace keybroker::broker {

// TokenWatch is a thread beside the workers that keeps a connection of its own to one tokenhost:
// it notices at once when that dies, reconnects without a request having to try, reads the
// catalogue whenever there is news, and asks for the token's state about once a second. A tokenhost
// that hangs holds up its own watch only.
class TokenWatch {
 public:
  // changed is called, on the watch's thread, after the gate has got another catalogue; expired
  // when parked requests may have passed their deadline.
  struct Callbacks {
    std::function<void()> changed;
    std::function<void(TokenGate&)> expired;
  };

  // Start begins watching.
  static Result<std::unique_ptr<TokenWatch>> Start(std::shared_ptr<TokenGate> gate,
                                                   Callbacks callbacks);
  ~TokenWatch();
  TokenWatch(const TokenWatch&) = delete;
  TokenWatch& operator=(const TokenWatch&) = delete;

  TokenGate& gate() { return *gate_; }
  const std::shared_ptr<TokenGate>& shared_gate() const { return gate_; }

  // AskForRefresh wants the catalogue read again and returns a ticket; AwaitRefresh waits until
  // that is done, or has been tried in vain, at most until_ms. False when the time was up.
  uint64_t AskForRefresh();
  bool AwaitRefresh(uint64_t ticket, uint64_t until_ms);

 private:
  TokenWatch(std::shared_ptr<TokenGate> gate, Callbacks callbacks, UniqueFd alarm);

  void Run();
  void Attend();
  void Sleep(uint64_t for_ms);
  void FinishRefresh(uint64_t ticket);
  void Drop(std::string_view why);
  Status ReadStatus();
  Status ReadCatalogue();
  Status ReadPages(TokenCatalogue& catalogue);
  Result<wire::Frame> Ask(wire::MessageType type, const wire::CatalogueRequest* request);
  void Learn(TokenReport report);

  std::shared_ptr<TokenGate> gate_;
  Callbacks callbacks_;
  UniqueFd alarm_;
  std::atomic<bool> stopping_{false};
  TokenLink link_;
  std::vector<uint8_t> buffer_;
  uint64_t seen_generation_ = 0;
  uint64_t backoff_ms_ = 0;

  std::mutex mutex_;
  std::condition_variable refreshed_;
  uint64_t wanted_ticket_ = 1;  // the first reading is wanted from the start
  uint64_t done_ticket_ = 0;

  std::thread thread_;
};

}  // namespace keybroker::broker
