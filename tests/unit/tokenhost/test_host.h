#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "keybroker/config/settings.h"
#include "keybroker/token/config.h"
#include "keybroker/tokenhost/client.h"
#include "keybroker/wire/catalogue.h"
#include "keybroker/wire/frame.h"
#include "keybroker/wire/hello.h"
#include "keybroker/wire/sign.h"
#include "support/command.h"
#include "support/temp_dir.h"

namespace keybroker::tokenhost {

inline constexpr char kPin[] = "1234";
inline constexpr char kKeyName[] = "mail.example.test";

// Uids that broker and token user have in tests that run as root; no accounts are needed.
inline constexpr uid_t kBrokerUid = 64001;
inline constexpr uid_t kTokenUid = 64002;

struct TestHostOptions {
  std::string pin_file = kPin;  // what the PIN file says; empty: none is configured
  unsigned sessions = 2;
  unsigned hang_limit_ms = 5000;
  bool always_authenticate = false;  // the EC key wants the PIN for each signature
};

// TestHost is a folder with a configuration, a SoftHSM token behind the faulty module
// (tests/support/faulty_module.cc) with an RSA-2048 and a P-256 key, and a keybroker-tokenhost.
class TestHost {
 public:
  explicit TestHost(const TestHostOptions& options = {});

  // Start runs the built program until it has made its first attempt at the token. Stop ends it by
  // SIGTERM and gives its exit code.
  void Start(const test::Environment& environment = {});
  std::optional<int> Stop();
  test::Process& process() { return process_; }

  // Program is the path of the built keybroker-tokenhost.
  static std::string Program();

  // MakeKey adds a P-256 key to the token; MakeToken another token with the two keys.
  void MakeKey(const std::string& label, const std::string& id);
  void MakeToken(const std::string& label, bool always_authenticate = false);

  // Plan gives the faulty module its plan; Calls counts how often it was called.
  void Plan(const std::string& lines);
  long Calls(const std::string& function) const;

  // SetToken changes tokens.d/main.toml, SetPinFile the PIN file.
  token::TokenConfig& token() { return token_; }
  void WriteToken();
  void SetPinFile(const std::string& pin);

  const config::Settings& settings() const { return settings_; }
  const std::filesystem::path& dir() const { return dir_.path(); }
  uid_t broker_uid() const { return broker_uid_; }
  uid_t token_uid() const { return broker_uid_ == kBrokerUid ? kTokenUid : broker_uid_; }

  // AwaitState asks for the status until it says so, with a generous deadline; the last report.
  TokenReport AwaitState(wire::TokenState state);

 private:
  void WriteConfiguration(const TestHostOptions& options);
  void GiveToTokenUser(const std::filesystem::path& path);
  void GenerateKeys(const std::filesystem::path& conf, const std::string& token,
                    bool always_authenticate);

  test::TempDir dir_;
  config::Settings settings_;
  token::TokenConfig token_;
  uid_t broker_uid_;
  test::Process process_;
};

// NotifyListener is the service manager's end of sd_notify(3).
class NotifyListener {
 public:
  explicit NotifyListener(const std::filesystem::path& path);
  std::string Next();

 private:
  UniqueFd fd_;
};

// Message is a received frame that owns its bytes.
struct Message {
  wire::Header header;
  std::vector<uint8_t> body;
};

// Peer is a connection to a tokenhost that speaks as any uid: root may say so in SCM_CREDENTIALS.
class Peer {
 public:
  Peer(const TestHost& host, uid_t uid);

  void SendRaw(const std::vector<uint8_t>& bytes, int descriptor = -1);
  template <typename Body>
  void Send(const wire::Header& header, const Body& body) {
    std::vector<uint8_t> buffer(wire::kMaxMessage);
    wire::FrameWriter frame(buffer, header);
    Encode(body, frame.body());
    buffer.resize(frame.Finish());
    SendRaw(buffer);
  }
  void SendEmpty(const wire::Header& header);

  // Receive gives the next message; nothing when the connection has ended.
  std::optional<Message> Receive();

  // Hello opens the conversation; the generation, or nothing when it failed.
  std::optional<wire::HelloReply> Hello();

  // Keys reads the whole catalogue, from generation (0: a new reading).
  struct Key {
    wire::KeyRef ref;
    cryptoki::KeyType type;
    std::string label;
    std::vector<uint32_t> mechanisms;
    std::vector<uint8_t> public_first;
    std::vector<uint8_t> public_second;
  };
  std::vector<Key> Keys(uint64_t generation = 0);

  // Sign gives the SignReply or Failure that answers.
  Message Sign(const wire::SignRequest& request);

 private:
  UniqueFd fd_;
  uid_t uid_;
  uint32_t next_id_ = 1;
};

// EcdsaRequest signs a fixed digest with a key; FailureOf takes a Failure apart.
wire::SignRequest EcdsaRequest(const wire::KeyRef& key);
std::optional<wire::Failure> FailureOf(const Message& message);

// KeyOfType finds the one key of a type.
const Peer::Key& KeyOfType(const std::vector<Peer::Key>& keys, cryptoki::KeyType type);

}  // namespace keybroker::tokenhost
