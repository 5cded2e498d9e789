#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "keybroker/base/unique_fd.h"
#include "keybroker/cryptoki/cryptoki.h"
#include "keybroker/wire/catalogue.h"
#include "keybroker/wire/frame.h"
#include "keybroker/wire/sign.h"
#include "keybroker/wire/token_admin.h"

namespace keybroker::test {

// FakeKey is a key that a fake tokenhost shows. Its public fields are fillers.
struct FakeKey {
  std::string name;
  cryptoki::KeyType type = cryptoki::KeyType::kEc;
  uint32_t bits = 256;
  std::vector<uint8_t> id;
  std::vector<uint32_t> mechanisms;
  std::vector<uint8_t> certificate;

  wire::KeyRef ref() const;
};

// EcKey and RsaKey make keys with every mechanism of their type; serial makes id and ref unique.
FakeKey EcKey(const std::string& name, uint32_t serial);
FakeKey RsaKey(const std::string& name, uint32_t serial);

// FakeSignature is what the fake signs data with: size bytes that depend on data and key.
std::vector<uint8_t> FakeSignature(const wire::KeyRef& key, wire::Bytes data, size_t size);

// FakeTokenhost speaks docs/protocol.md as a tokenhost does, over real sockets, without a token.
// Kill and Start are what kill -9 and a supervisor do to it. Thread-safe.
class FakeTokenhost {
 public:
  explicit FakeTokenhost(std::filesystem::path socket) : socket_(std::move(socket)) {}
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
  void Accept(int fd);
  void Serve(int fd);
  bool Answer(int fd, const wire::Frame& frame);
  bool AnswerSign(int fd, const wire::Frame& frame);
  void EncodePage(const wire::CatalogueRequest& request, wire::Writer& body);

  const std::filesystem::path socket_;
  std::atomic<uint64_t> signs_{0};

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  UniqueFd listening_;
  std::vector<std::pair<int, std::thread>> connections_;
  std::thread acceptor_;
  bool killed_ = true;
  bool held_ = false;
  std::vector<FakeKey> keys_;
  uint64_t generation_ = 1;
  wire::TokenState state_ = wire::TokenState::kReady;
  OnSign on_sign_;
};

}  // namespace keybroker::test
