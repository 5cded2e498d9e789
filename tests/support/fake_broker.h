#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "keybroker/base/error.h"
#include "keybroker/wire/frame.h"
#include "keybroker/wire/hello.h"
#include "support/fake_key.h"
#include "support/seqpacket_server.h"

namespace keybroker::test {

// BrokerRequest is a message that came to a fake broker, and who sent it.
struct BrokerRequest {
  wire::Header header;
  std::vector<uint8_t> body;
  size_t connection;  // 1 for the first that was ever made
  size_t nth;         // 1 for the first message of this type
  pid_t pid;
  uid_t uid;
};

// Deed is what a fake broker does about a request.
struct Deed {
  enum class Kind { kAnswer, kSend, kEnd, kIgnore };
  Kind kind = Kind::kAnswer;   // kAnswer: as docs/protocol.md says
  std::vector<uint8_t> bytes;  // kSend: the whole message
  bool descriptor = false;     // kSend: a descriptor goes with it
};

// FakeBroker speaks docs/protocol.md as a listener's socket does, without policy, audit or
// tokenhost, and misbehaves as a test scripts it. Thread-safe.
class FakeBroker {
 public:
  explicit FakeBroker(std::filesystem::path socket)
      : server_(std::move(socket), [this](int fd) { Serve(fd); }) {}
  ~FakeBroker() { Kill(); }
  FakeBroker(const FakeBroker&) = delete;
  FakeBroker& operator=(const FakeBroker&) = delete;

  void Start() { Start(ListenAt(server_.socket())); }
  void Kill();

  // Restart is Kill and Start behind an activated socket: whoever connects in between has to wait,
  // but is not refused, however slow the machine is.
  void Restart();

  // SetKeys makes a new generation.
  void SetKeys(std::vector<FakeKey> keys);
  void SetPageSize(uint32_t page_size);
  void SetTokenPresent(bool present);
  void SetListener(std::string name);
  void SetVersions(uint16_t min, uint16_t max);

  // Script is asked about each request before it is answered.
  using Script = std::function<Deed(const BrokerRequest&)>;
  void SetScript(Script script);

  // RightAnswer is the whole message that answers the request as docs/protocol.md says.
  std::vector<uint8_t> RightAnswer(const BrokerRequest& request);

  // Hold keeps back every answer to a SignRequest until Release or Kill.
  void Hold();
  void Release();

  // What came so far. messages counts those of every type, bad ones too.
  size_t connections();
  size_t messages();
  size_t Count(wire::MessageType type);
  size_t signs() { return Count(wire::MessageType::kSignRequest); }
  BrokerRequest Last();
  bool AwaitSigns(size_t count);

  // AwaitOpen waits until that many connections are open.
  bool AwaitOpen(size_t count);

 private:
  void Start(UniqueFd listening);
  void Serve(int fd);
  void Converse(int fd, size_t connection);
  bool Handle(int fd, BrokerRequest request);
  void Note(BrokerRequest* request);

  std::mutex mutex_;
  std::condition_variable changed_;
  bool killed_ = true;
  bool held_ = false;
  FakeCatalogue catalogue_;
  std::string listener_ = "https";
  uint16_t min_version_ = wire::kMinVersion;
  uint16_t max_version_ = wire::kVersion;
  Script script_;
  size_t connections_ = 0;
  size_t open_ = 0;
  size_t bad_ = 0;
  std::vector<BrokerRequest> requests_;
  SeqpacketServer server_;  // last: its threads use the rest
};

// FailureAnswer is the whole message that answers the request with a Failure.
std::vector<uint8_t> FailureAnswer(const BrokerRequest& request, ErrorCode code, uint32_t rv);

}  // namespace keybroker::test
