#include "support/stack.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include "keybroker/base/json.h"

#include "keybroker/base/process.h"
#include "support/temp_dir.h"
#include "support/token_modules.h"

namespace keybroker::test {
namespace {

using Clock = std::chrono::steady_clock;
namespace fs = std::filesystem;

constexpr auto kPatience = std::chrono::seconds(60);
constexpr char kTokenName[] = "main";

bool IsRoot() { return getuid() == 0; }

std::string Me() {
  auto user = FindUser(std::to_string(getuid()));
  return user ? user->name : std::to_string(getuid());
}

// What a failed command said, for the test's message.
Error Failed(const Arguments& arguments, const CommandResult& result) {
  std::string text;
  for (const std::string& argument : arguments) text += argument + " ";
  return Internal(text + "ended with status " + std::to_string(result.status) + "\n" + result.out +
                  result.err);
}

Status MustRun(const Arguments& arguments) {
  CommandResult result = RunCommand(arguments);
  return result.status == 0 ? Status{} : Fail(Failed(arguments, result));
}

// Gives a file to the user that the tokenhost becomes; only root can.
Status GiveToTokenUser(const fs::path& path) {
  if (!IsRoot()) return {};
  KB_ASSIGN(User user, FindUser("keybroker-token"));
  if (chown(path.c_str(), user.uid, user.gid) != 0) return Fail(SystemError("chown", errno));
  return {};
}

Status WriteFile(const fs::path& path, const std::string& text, mode_t mode) {
  WriteAll(path, text);
  if (chmod(path.c_str(), mode) != 0) return Fail(SystemError("chmod " + path.string(), errno));
  return {};
}

}  // namespace

Result<std::unique_ptr<Stack>> Stack::Make(const StackOptions& options) {
  std::unique_ptr<Stack> stack(new Stack);
  KB_TRY(stack->MakeDirectories());
  KB_TRY(stack->MakeToken(options));
  KB_TRY(stack->MakeKeys(options));
  if (options.certificates) KB_TRY(stack->MakeCertificates());
  KB_TRY(stack->MakeListeners(options));
  KB_TRY(stack->Start());
  return stack;
}

Stack::~Stack() {
  if (run_.running()) run_.Stop();
  std::error_code ignored;
  if (!directory_.empty()) fs::remove_all(directory_, ignored);
}

Status Stack::MakeDirectories() {
  char name[] = "/tmp/kbs.XXXXXX";
  if (mkdtemp(name) == nullptr) return Fail(SystemError("mkdtemp", errno));
  directory_ = name;
  // The users that broker, tokenhost and listeners become have to get in.
  if (chmod(name, 0755) != 0) return Fail(SystemError("chmod", errno));
  for (const char* each : {"etc", "run", "state", "token", "token/tokens", "ca"}) {
    fs::create_directory(directory_ / each);
  }
  fs::copy(KB_SOURCE_DIR "/tokens", directory_ / "profiles");
  KB_TRY(WriteFile(
      directory_ / "token/softhsm2.conf",
      "directories.tokendir = " + (directory_ / "token/tokens").string() + "\nlog.level = ERROR\n",
      0644));
  KB_TRY(WriteFile(pin_file(), std::string(kTokenPin) + "\n", 0600));
  KB_TRY(WriteFile(directory_ / "so-pin", "31415926\n", 0600));
  KB_TRY(WriteFile(directory_ / "token/pin", std::string(kTokenPin) + "\n", 0600));
  for (const char* each : {"token", "token/tokens", "token/pin"}) {
    KB_TRY(GiveToTokenUser(directory_ / each));
  }
  std::string settings = "[paths]\nruntime_dir = \"" + (directory_ / "run").string() +
                         "\"\nstate_dir = \"" + (directory_ / "state").string() +
                         "\"\nprofiles_dir = \"" + (directory_ / "profiles").string() + "\"\n";
  if (!IsRoot()) {
    settings += "[users]\nbroker_user = \"" + Me() + "\"\ntoken_user = \"" + Me() + "\"\n";
  }
  return WriteFile(config(), settings, 0644);
}

Status Stack::MakeToken(const StackOptions& options) {
  KB_TRY(Expect({"setup"}));
  switch (options.token) {
    case StackToken::kNss:
      return MakeNss();
    case StackToken::kOneProcess:
      return MakeOneProcess();
    case StackToken::kSoftHsm:
      break;
  }
  return MakeSoftHsm();
}

Status Stack::MakeSoftHsm() {
  return AddSoftHsm({"--module", SoftHsmPath(), "--profile", "softhsm2"});
}

Status Stack::MakeOneProcess() {
  std::string profile = ReadAll(KB_SOURCE_DIR "/tokens/softhsm2.toml");
  const std::string several = "several_processes = true";
  const size_t at = profile.find(several);
  if (at == std::string::npos) return Fail(NotFound("softhsm2.toml has no several_processes"));
  profile.replace(at, several.size(), "several_processes = false");
  KB_TRY(WriteFile(directory_ / "profiles/one-process.toml", profile, 0644));
  KB_TRY(WriteFile(faulty_log(), "", 0666));
  KB_TRY(GiveToTokenUser(faulty_log()));
  return AddSoftHsm({"--module", FaultyModulePath(), "--profile", "one-process", "--env",
                     "KB_FAULTY_LOG=" + faulty_log().string(), "--env",
                     "KB_FAULTY_ONE_PROCESS=" + (directory_ / "token/softhsm2.conf").string()});
}

Status Stack::AddSoftHsm(const Arguments& arguments) {
  Arguments add = {"token",
                   "add",
                   kTokenName,
                   "--label",
                   "stack",
                   "--env",
                   "SOFTHSM2_CONF=" + (directory_ / "token/softhsm2.conf").string(),
                   "--pin-file",
                   directory_ / "token/pin"};
  add.insert(add.end(), arguments.begin(), arguments.end());
  KB_TRY(Expect(add));
  return Expect({"token", "init", kTokenName, "--so-pin-file", directory_ / "so-pin", "--pin-file",
                 pin_file(), "--yes"});
}

Status Stack::MakeNss() {
  const fs::path database = directory_ / "token/nss";
  fs::create_directory(database);
  KB_TRY(MustRun({"certutil", "-N", "-d", "sql:" + database.string(), "-f", pin_file()}));
  KB_TRY(GiveToTokenUser(database));
  for (const auto& file : fs::directory_iterator(database)) KB_TRY(GiveToTokenUser(file.path()));
  return Expect({"token", "add", kTokenName, "--module", NssModule(), "--label",
                 "NSS Certificate DB", "--profile", "nss", "--init-args",
                 "configdir='sql:" + database.string() +
                     "' certPrefix='' keyPrefix='' secmod='secmod.db' flags=",
                 "--pin-file", directory_ / "token/pin"});
}

Status Stack::MakeKeys(const StackOptions& options) {
  for (const char* type : {"rsa", "ec"}) {
    KB_TRY(Expect({"key", "generate", kKeyName, "--type", type}));
    if (options.extra_keys) {
      KB_TRY(Expect({"key", "generate", "other.example.test", "--type", type}));
    }
  }
  return {};
}

Status Stack::MakeCertificates() {
  fs::path ca = directory_ / "ca";
  KB_TRY(MustRun({"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout",
                  ca / "ca.key", "-out", ca_certificate(), "-days", "30", "-subj", "/CN=Test CA"}));
  KB_TRY(WriteFile(ca / "leaf.ext",
                   std::string("subjectAltName=DNS:") + kKeyName +
                       "\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\n",
                   0644));
  for (const char* type : {"rsa", "ec"}) {
    fs::path request = ca / (std::string(type) + ".csr");
    KB_TRY(Expect({"request", "create", kKeyName, "--type", type, "-o", request}));
    KB_TRY(MustRun({"openssl", "x509", "-req", "-in", request, "-CA", ca_certificate(), "-CAkey",
                    ca / "ca.key", "-CAcreateserial", "-days", "30", "-extfile", ca / "leaf.ext",
                    "-out", certificate(type)}));
    KB_TRY(Expect({"certificate", "install", kKeyName, certificate(type), "--type", type, "--ca",
                   ca_certificate()}));
  }
  return {};
}

Status Stack::MakeListeners(const StackOptions& options) {
  for (const StackListener& listener : options.listeners) {
    Arguments add = {"listener", "add", listener.name, "--mode", "0666"};
    std::vector<std::string> users = listener.users;
    if (users.empty()) users.push_back(Me());
    for (const std::string& user : users) add.insert(add.end(), {"--user", user});
    for (const fs::path& jail : listener.jails) add.insert(add.end(), {"--jail", jail});
    KB_TRY(Expect(add));
    if (listener.bound) KB_TRY(Expect({"listener", "bind", listener.name, kKeyName}));
  }
  return {};
}

Status Stack::Start() {
  run_ = Process::Start({Program("keybroker"), "--config", config(), "run"});
  if (run_.WaitForText("keybroker: ready")) return {};
  return Fail(Unavailable("keybroker run is not ready. It said:\n" + run_.output()));
}

Status Stack::Stop() {
  auto status = run_.Stop();
  if (status == 0) return {};
  return Fail(Internal("keybroker run did not end cleanly. It said:\n" + run_.output()));
}

CommandResult Stack::Cli(const Arguments& arguments) const {
  Arguments all = {Program("keybroker"), "--config", config()};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return RunCommand(all);
}

Status Stack::Expect(const Arguments& arguments) const {
  CommandResult result = Cli(arguments);
  return result.status == 0 ? Status{} : Fail(Failed(arguments, result));
}

pid_t Stack::ChildNamed(const std::string& program) const {
  std::string pid = std::to_string(run_.pid());
  std::ifstream children("/proc/" + pid + "/task/" + pid + "/children");
  for (std::string child; children >> child;) {
    // A child may end between the two reads; then its file reads as nothing.
    std::ifstream arguments("/proc/" + child + "/cmdline");
    std::string command;
    std::getline(arguments, command, '\0');
    if (fs::path(command).filename() == program) return std::stoi(child);
  }
  return -1;
}

pid_t Stack::BrokerPid() const { return ChildNamed("keybrokerd"); }
pid_t Stack::TokenhostPid() const { return ChildNamed("keybroker-tokenhost"); }

bool Stack::IsServing() const { return Cli({"status"}).status == 0; }

Status Stack::KillAndAwait(const std::string& program) {
  pid_t old = ChildNamed(program);
  if (old < 0) return Fail(NotFound(program + " does not run"));
  kill(old, SIGKILL);
  for (auto deadline = Clock::now() + kPatience; Clock::now() < deadline;) {
    pid_t now = ChildNamed(program);
    if (now > 0 && now != old && IsServing()) return {};
  }
  run_.WaitForText("never said", std::chrono::seconds(0));
  return Fail(Unavailable(program + " did not come back. keybroker run said:\n" + run_.output()));
}

Status Stack::KillAndAwaitBroker() { return KillAndAwait("keybrokerd"); }
Status Stack::KillAndAwaitTokenhost() { return KillAndAwait("keybroker-tokenhost"); }

fs::path Stack::socket(const std::string& listener) const {
  return directory_ / "run" / listener / "socket";
}

fs::path Stack::certificate(const std::string& type) const {
  return directory_ / "ca" / (type + ".crt");
}

Result<fs::path> Stack::Reference(const std::string& listener, const std::string& type) {
  fs::path file = directory_ / (listener + "-" + type + ".pem");
  if (!fs::exists(file)) {
    KB_TRY(Expect(
        {"reference", "write", kKeyName, "--listener", listener, "--type", type, "-o", file}));
  }
  return file;
}

Result<std::string> Stack::KeyId(const std::string& type) const {
  CommandResult result = Cli({"--json", "key", "show", kKeyName, "--type", type});
  auto json = nlohmann::json::parse(result.out, nullptr, false);
  if (result.status != 0 || json.is_discarded()) return Fail(Failed({"key", "show"}, result));
  std::string hex = json["keys"][0]["id"];
  return hex;
}

fs::path Stack::OpensslConfig() {
  fs::path file = directory_ / "openssl.cnf";
  WriteAll(file,
           "openssl_conf = init\n[init]\nengines = engines\n[engines]\nkeybroker = keybroker\n"
           "[keybroker]\nengine_id = keybroker\ndynamic_path = " +
               EnginePath().string() + "\nMODULE_PATH = " + ModulePath().string() + "\ninit = 1\n");
  return file;
}

Target Stack::ModuleTarget(const std::string& listener, const std::string& type) const {
  Target target;
  target.module = ModulePath();
  target.token = "keybroker";
  target.label = kKeyName;
  target.rsa = type == "rsa";
  target.reserved = "socket=" + socket(listener).string();
  return target;
}

Environment Stack::token_environment() const {
  return {{"SOFTHSM2_CONF", directory_ / "token/softhsm2.conf"}};
}

fs::path Stack::ModulePath() { return KB_BUILD_DIR "/lib/libkeybroker-pkcs11.so"; }
fs::path Stack::EnginePath() { return KB_BUILD_DIR "/lib/engines-3/keybroker.so"; }
fs::path Stack::Program(const std::string& name) { return fs::path(KB_BUILD_DIR "/bin") / name; }
fs::path Stack::SoftHsmPath() { return SoftHsmModule(); }
fs::path Stack::FaultyModulePath() { return ModulePath().parent_path() / "faulty_module.so"; }

}  // namespace keybroker::test
