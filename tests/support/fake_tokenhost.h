#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "keybroker/cryptoki/cryptoki.h"
#include "keybroker/wire/frame.h"
#include "keybroker/wire/sign.h"
#include "keybroker/wire/token_admin.h"
#include "support/fake_key.h"
#include "support/seqpacket_server.h"

namespace keybroker::test {

// FakeTokenhost speaks docs/protocol.md as a tokenhost does, over real sockets, without a token.
// Kill and Start are what kill -9 and a supervisor do to it. Thread-safe.
class FakeTokenhost {
 public:
  explicit FakeTokenhost(std::filesystem::path socket)
      : server_(std::move(socket), [this](int fd) { Serve(fd); }) {}
  ~FakeTokenhost() { Kill(); }
  FakeTokenhost(const FakeTokenhost&) = delete;
  FakeTokenhost& operator=(const FakeTokenhost&) = delete;

  void Start();
  void Kill();

  void SetKeys(std::vector<FakeKey> keys);
  void SetState(wire::TokenState state);

  // OnSign is asked about each SignRequest before it is answered: the whole message to send
  // instead, an empty one to send nothing and end the connection, or nothing to sign.
  using OnSign = std::function<std::optional<std::vector<uint8_t>>(const wire::Header&,
                                                                   const wire::SignRequest&)>;
  void SetOnSign(OnSign on_sign);

  // Hold keeps back every answer to a SignRequest until Release or Kill.
  void Hold();
  void Release();

  // signs counts the SignRequests that came; AwaitSigns waits for that many.
  uint64_t signs() const { return signs_.load(); }
  bool AwaitSigns(uint64_t count);

 private:
  void Serve(int fd);
  bool Answer(int fd, const wire::Frame& frame);
  bool AnswerSign(int fd, const wire::Frame& frame);

  std::atomic<uint64_t> signs_{0};

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool killed_ = true;
  bool held_ = false;
  FakeCatalogue catalogue_;
  wire::TokenState state_ = wire::TokenState::kReady;
  OnSign on_sign_;
  SeqpacketServer server_;  // last: its threads use the rest
};

}  // namespace keybroker::test
