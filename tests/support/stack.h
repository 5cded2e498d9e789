#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "keybroker/base/result.h"
#include "support/command.h"
#include "support/pkcs11_client.h"

namespace keybroker::test {

// kKeyName is the one key name of a Stack: it has an RSA-2048 and a P-256 key.
inline constexpr char kKeyName[] = "mail.example.test";

// kTokenPin is the user PIN of its token.
inline constexpr char kTokenPin[] = "271828";

// StackListener is a listener of the Stack; socket, owner, group and mode are the defaults, opened
// to everybody, so that the users decide.
struct StackListener {
  std::string name;
  std::vector<std::string> users;  // empty: whoever runs the test
  std::vector<std::filesystem::path> jails;
  bool bound = true;  // false: no binding, so it may do nothing
};

// StackToken is the software token that a Stack keeps its keys on: kOneProcess is SoftHSM behind a
// module that admits one process at a time (faulty_module.cc), with a profile that says so.
enum class StackToken { kSoftHsm, kNss, kOneProcess };

struct StackOptions {
  StackToken token = StackToken::kSoftHsm;
  std::vector<StackListener> listeners = {{"https", {}, {}, true}};
  bool certificates = false;  // a test CA signs a certificate for each key; they are installed
  bool extra_keys = false;    // a second key name, other.example.test, bound to no listener
};

// Stack is the whole of keybroker on a SoftHSM token (or on NSS softoken), running in a folder of
// its own under /tmp: made with the CLI as an operator makes it, supervised by `keybroker run`,
// with broker and tokenhost as the users keybroker and keybroker-token when the test is root.
// Everything it started is gone when it is destroyed.
class Stack {
 public:
  // Make sets everything up and starts it. The error's detail holds the failed command's words.
  static Result<std::unique_ptr<Stack>> Make(const StackOptions& options = {});
  ~Stack();
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;

  // Start runs `keybroker run` and waits until it says that it is ready; Stop ends it by SIGTERM.
  Status Start();
  Status Stop();

  // Cli runs `keybroker --config ... ARGUMENTS`.
  CommandResult Cli(const Arguments& arguments) const;

  // BrokerPid and TokenhostPid are those of the running children; -1 when there is none.
  pid_t BrokerPid() const;
  pid_t TokenhostPid() const;

  // KillAndAwaitBroker sends SIGKILL, and returns when another broker answers on the admin socket
  // and has its token's keys; the same for the tokenhost.
  Status KillAndAwaitBroker();
  Status KillAndAwaitTokenhost();

  const std::filesystem::path& directory() const { return directory_; }
  std::filesystem::path config() const { return directory_ / "etc/keybroker.toml"; }
  std::filesystem::path socket(const std::string& listener) const;
  std::filesystem::path ca_certificate() const { return directory_ / "ca/ca.crt"; }
  std::filesystem::path certificate(const std::string& type) const;  // "rsa" or "ec"; installed

  // Reference writes (once) and names a reference file of the key for the listener.
  Result<std::filesystem::path> Reference(const std::string& listener, const std::string& type);

  // KeyId is the key's CKA_ID in hexadecimal.
  Result<std::string> KeyId(const std::string& type) const;

  // OpensslConfig names an OpenSSL configuration that loads our engine with our module.
  std::filesystem::path OpensslConfig();

  // ModuleTarget is the key of that type as the listener sees it, through our module.
  Target ModuleTarget(const std::string& listener, const std::string& type) const;

  // What a direct user of the token needs.
  std::filesystem::path pin_file() const { return directory_ / "pin"; }
  Environment token_environment() const;

  // What was built beside this test program.
  static std::filesystem::path ModulePath();
  static std::filesystem::path EnginePath();
  static std::filesystem::path Program(const std::string& name);
  static std::filesystem::path SoftHsmPath();
  static std::filesystem::path FaultyModulePath();

  // faulty_log is where the module of kOneProcess writes what is called.
  std::filesystem::path faulty_log() const { return directory_ / "token/calls"; }

 private:
  Stack() = default;
  Status MakeDirectories();
  Status MakeToken(const StackOptions& options);
  Status MakeSoftHsm();
  Status MakeOneProcess();
  Status AddSoftHsm(const Arguments& arguments);
  Status MakeNss();
  Status MakeKeys(const StackOptions& options);
  Status MakeCertificates();
  Status MakeListeners(const StackOptions& options);
  Status Expect(const Arguments& arguments) const;
  pid_t ChildNamed(const std::string& program) const;
  Status KillAndAwait(const std::string& program);
  bool IsServing() const;

  std::filesystem::path directory_;
  Process run_;
};

}  // namespace keybroker::test
