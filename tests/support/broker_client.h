#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "keybroker/base/unique_fd.h"
#include "keybroker/wire/catalogue.h"
#include "keybroker/wire/frame.h"
#include "keybroker/wire/hello.h"
#include "keybroker/wire/sign.h"

namespace keybroker::test {

// SeenKey is a catalogue entry, its bytes owned.
struct SeenKey {
  wire::KeyRef ref{};
  std::string label;
  std::vector<uint8_t> id;
  std::vector<uint32_t> mechanisms;
  std::vector<uint8_t> certificate;
};

// Outcome is what a request came to: a signature, a failure, or a connection that was ended.
struct Outcome {
  std::vector<uint8_t> signature;
  std::optional<wire::Failure> failure;
  bool ended = false;
};

// BrokerClient is a listener without a module: it speaks docs/protocol.md on one connection. Calls
// wait at most 30 seconds.
class BrokerClient {
 public:
  // Connect connects; false when nobody listens.
  bool Connect(const std::filesystem::path& socket);

  std::optional<wire::HelloReply> Hello(uint16_t min = wire::kMinVersion,
                                        uint16_t max = wire::kVersion);
  // Keys reads the whole catalogue, page by page; pages counts them.
  std::optional<std::vector<SeenKey>> Keys(int* pages = nullptr);
  Outcome Sign(const wire::KeyRef& key, uint32_t mechanism, wire::Bytes data,
               std::optional<wire::PssParameters> pss = std::nullopt, uint64_t deadline_ms = 0);

  // SendSign only sends it; Read reads the next reply.
  bool SendSign(const wire::KeyRef& key, uint32_t mechanism, wire::Bytes data,
                std::optional<wire::PssParameters> pss = std::nullopt, uint64_t deadline_ms = 0);
  Outcome ReadOutcome();

  bool SendRaw(wire::Bytes message);
  // Read gives the next message; nothing when the connection has ended.
  std::optional<wire::Frame> Read();
  // Ended waits for the broker to end the connection; false when a message came instead.
  bool Ended() { return !Read().has_value() && ended_; }

  int fd() const { return fd_.get(); }
  void Close() { fd_.Reset(); }
  const std::string& listener() const { return listener_; }

 private:
  UniqueFd fd_;
  uint16_t version_ = wire::kVersion;
  uint32_t request_id_ = 0;
  bool ended_ = false;
  std::vector<uint8_t> buffer_ = std::vector<uint8_t>(wire::kMaxMessage + 1);
  std::string listener_;
};

// Digest32 is 32 bytes that look like a SHA-256.
std::vector<uint8_t> Digest32(uint8_t seed = 1);

}  // namespace keybroker::test
