#include "unit/tokenhost/test_host.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <sstream>

#include "keybroker/token/profile.h"
#include "keybroker/wire/hello.h"

namespace keybroker::tokenhost {
namespace {

namespace fs = std::filesystem;
using test::Arguments;
using test::ReadAll;
using test::RunCommand;
using test::WriteAll;
using wire::MessageType;

constexpr char kRealModule[] = "/usr/lib/softhsm/libsofthsm2.so";

bool AmRoot() { return ::geteuid() == 0; }

// BuildDirectory is where the test program's own build put everything.
fs::path BuildDirectory() { return fs::read_symlink("/proc/self/exe").parent_path().parent_path(); }

void MustRun(const Arguments& arguments, const fs::path& softhsm_conf) {
  const auto result = RunCommand(arguments, {{"SOFTHSM2_CONF", softhsm_conf.string()}});
  ASSERT_EQ(result.status, 0) << arguments[0] << ": " << result.out << result.err;
}

void WriteSoftHsmConf(const fs::path& file, const fs::path& tokens) {
  fs::create_directory(tokens);
  WriteAll(file, "directories.tokendir = " + tokens.string() +
                     "\nobjectstore.backend = file\nlog.level = ERROR\n");
}

Arguments GenerateCommand(const std::string& token, const std::string& label, const std::string& id,
                          const std::string& type) {
  return {"pkcs11-tool",  "--module",
          kRealModule,    "--token-label",
          token,          "--login",
          "--pin",        kPin,
          "--keypairgen", "--usage-sign",
          "--label",      label,
          "--id",         id,
          "--key-type",   type};
}

}  // namespace

TestHost::TestHost(const TestHostOptions& options)
    : broker_uid_(AmRoot() ? kBrokerUid : ::geteuid()) {
  fs::permissions(dir(), fs::perms(0755));
  WriteSoftHsmConf(dir_ / "softhsm2.conf", dir_ / "softhsm");
  GiveToTokenUser(dir_ / "softhsm");
  MakeToken("kb", options.always_authenticate);
  WriteConfiguration(options);
}

std::string TestHost::Program() { return (BuildDirectory() / "bin/keybroker-tokenhost").string(); }

void TestHost::MakeToken(const std::string& label, bool always_authenticate) {
  // Made beside and moved, so that a running tokenhost sees all of it or nothing.
  const fs::path beside = dir_ / ("beside-" + label);
  const fs::path conf = dir_ / ("beside-" + label + ".conf");
  WriteSoftHsmConf(conf, beside);
  MustRun({"softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", "4321", "--pin",
           kPin},
          conf);
  GenerateKeys(conf, label, always_authenticate);
  for (const auto& entry : fs::recursive_directory_iterator(beside)) GiveToTokenUser(entry.path());
  for (const auto& entry : fs::directory_iterator(beside)) {
    fs::rename(entry.path(), dir_.path() / "softhsm" / entry.path().filename());
  }
}

void TestHost::GenerateKeys(const fs::path& conf, const std::string& token,
                            bool always_authenticate) {
  MustRun(GenerateCommand(token, kKeyName, "01", "rsa:2048"), conf);
  Arguments ec = GenerateCommand(token, kKeyName, "02", "EC:prime256v1");
  if (always_authenticate) ec.push_back("--always-auth");
  MustRun(ec, conf);
}

void TestHost::MakeKey(const std::string& label, const std::string& id) {
  MustRun(GenerateCommand("kb", label, id, "EC:prime256v1"), dir_ / "softhsm2.conf");
  for (const auto& entry : fs::recursive_directory_iterator(dir_ / "softhsm")) {
    GiveToTokenUser(entry.path());
  }
}

void TestHost::GiveToTokenUser(const fs::path& path) {
  if (AmRoot()) {
    ASSERT_EQ(::lchown(path.c_str(), kTokenUid, kTokenUid), 0) << path;
  }
}

void TestHost::WriteConfiguration(const TestHostOptions& options) {
  std::string text =
      "[paths]\nruntime_dir = \"run\"\nstate_dir = \"state\"\nprofiles_dir = \"p\"\n";
  if (AmRoot()) {
    text += "[users]\nbroker_user = \"" + std::to_string(kBrokerUid) + "\"\ntoken_user = \"" +
            std::to_string(kTokenUid) + "\"\n";
  }
  WriteAll(dir_ / "keybroker.toml", text);
  for (const char* name : {"tokens.d", "listeners.d", "p"}) fs::create_directory(dir_ / name);
  token::Profile profile;
  profile.name = "test";
  profile.hang_limit = std::chrono::milliseconds(options.hang_limit_ms);
  WriteAll(dir_ / "p/test.toml", token::FormatProfile(profile));
  token_.name = "main";
  token_.module = BuildDirectory() / "lib/faulty_module.so";
  token_.label = "kb";
  token_.profile = "test";
  token_.sessions = options.sessions;
  token_.environment = {{"SOFTHSM2_CONF", (dir_ / "softhsm2.conf").string()},
                        {"KB_FAULTY_LOG", (dir_ / "calls").string()},
                        {"KB_FAULTY_PLAN", (dir_ / "plan").string()}};
  if (!options.pin_file.empty()) token_.pin_file = dir_ / "pin";
  SetPinFile(options.pin_file);
  WriteToken();
  Plan("");
  WriteAll(dir_ / "calls", "");
  fs::permissions(dir_ / "calls", fs::perms(0666));
  auto settings = config::LoadSettings(dir_ / "keybroker.toml");
  ASSERT_TRUE(settings) << settings.error().detail;
  settings_ = *settings;
}

void TestHost::SetPinFile(const std::string& pin) {
  WriteAll(dir_ / "pin", pin + "\n");
  fs::permissions(dir_ / "pin", fs::perms(0600));
  GiveToTokenUser(dir_ / "pin");
}

void TestHost::WriteToken() { WriteAll(dir_ / "tokens.d/main.toml", FormatTokenConfig(token_)); }

void TestHost::Plan(const std::string& lines) {
  WriteAll(dir_ / "plan", lines);
  fs::permissions(dir_ / "plan", fs::perms(0666));
}

long TestHost::Calls(const std::string& function) const {
  std::istringstream lines(ReadAll(dir_ / "calls"));
  long count = 0;
  for (std::string line; std::getline(lines, line);) count += line == function ? 1 : 0;
  return count;
}

void TestHost::Start(const test::Environment& environment) {
  process_ = test::Process::Start(
      {Program(), "--config", settings_.file.string(), "--token", "main"}, environment);
  ASSERT_TRUE(process_.WaitForText("token \"main\" is ")) << process_.output();
}

std::optional<int> TestHost::Stop() { return process_.Stop(); }

TokenReport TestHost::AwaitState(wire::TokenState state) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  TokenReport last;
  do {
    const auto report = AskTokenStatus(settings_, "main");
    if (report) last = *report;
    if (report && report->state == state) return last;
  } while (std::chrono::steady_clock::now() < deadline);
  ADD_FAILURE() << "still " << wire::TokenStateName(last.state) << ": " << last.detail;
  return last;
}

NotifyListener::NotifyListener(const fs::path& path)
    : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path.c_str(), path.native().size());
  const timeval generous{60, 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &generous, sizeof generous);
  EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  fs::permissions(path, fs::perms(0777));
}

std::string NotifyListener::Next() {
  char text[4096];
  const ssize_t size = ::recv(fd_.get(), text, sizeof text, 0);
  return size < 0 ? "" : std::string(text, static_cast<size_t>(size));
}

Peer::Peer(const TestHost& host, uid_t uid)
    : fd_(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)), uid_(uid) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = host.settings().TokenSocket("main").string();
  memcpy(address.sun_path, path.data(), path.size());
  const timeval generous{60, 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &generous, sizeof generous);
  const int rc = ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  EXPECT_EQ(rc, 0) << path << ": " << strerror(errno);
}

void Peer::SendRaw(const std::vector<uint8_t>& bytes, int descriptor) {
  iovec vector{const_cast<uint8_t*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) uint8_t control[CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &vector;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = CMSG_SPACE(sizeof(ucred));
  cmsghdr* at = reinterpret_cast<cmsghdr*>(control);
  at->cmsg_level = SOL_SOCKET;
  at->cmsg_type = SCM_CREDENTIALS;
  at->cmsg_len = CMSG_LEN(sizeof(ucred));
  const ucred credentials{::getpid(), uid_, AmRoot() ? uid_ : ::getegid()};
  memcpy(CMSG_DATA(at), &credentials, sizeof credentials);
  if (descriptor >= 0) {
    header.msg_controllen = sizeof control;
    at = reinterpret_cast<cmsghdr*>(control + CMSG_SPACE(sizeof(ucred)));
    at->cmsg_level = SOL_SOCKET;
    at->cmsg_type = SCM_RIGHTS;
    at->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(at), &descriptor, sizeof descriptor);
  }
  // EPIPE is the tokenhost's to decide; what it does shows in Receive.
  if (::sendmsg(fd_.get(), &header, MSG_NOSIGNAL) < 0) {
    EXPECT_EQ(errno, EPIPE);
  }
}

void Peer::SendEmpty(const wire::Header& header) {
  std::vector<uint8_t> buffer(wire::kHeaderSize);
  wire::FrameWriter frame(buffer, header);
  frame.Finish();
  SendRaw(buffer);
}

std::optional<Message> Peer::Receive() {
  std::vector<uint8_t> buffer(wire::kMaxMessage);
  const ssize_t size = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
  EXPECT_FALSE(size < 0 && errno == EAGAIN) << "the tokenhost did not answer";
  if (size <= 0) return std::nullopt;
  const auto frame = wire::DecodeFrame({buffer.data(), static_cast<size_t>(size)});
  EXPECT_TRUE(frame);
  if (!frame) return std::nullopt;
  return Message{frame->header, {frame->body.begin(), frame->body.end()}};
}

std::optional<wire::HelloReply> Peer::Hello() {
  Send({MessageType::kHello, 0, next_id_++}, wire::Hello{wire::kMinVersion, wire::kVersion});
  const auto reply = Receive();
  if (!reply || reply->header.type != MessageType::kHelloReply) return std::nullopt;
  auto hello = wire::DecodeHelloReply(reply->body);
  if (hello) hello->listener = {};
  return hello;
}

std::vector<Peer::Key> Peer::Keys(uint64_t generation) {
  std::vector<Key> keys;
  for (;;) {
    Send({MessageType::kCatalogueRequest, wire::kVersion, next_id_++},
         wire::CatalogueRequest{generation, static_cast<uint32_t>(keys.size())});
    const auto reply = Receive();
    if (!reply || reply->header.type != MessageType::kCataloguePage) {
      ADD_FAILURE() << "no catalogue page";
      return keys;
    }
    auto reader = wire::CatalogueReader::Open(reply->body);
    if (!reader) {
      ADD_FAILURE() << "a malformed catalogue page";
      return keys;
    }
    generation = reader->page().generation;
    while (const auto entry = reader->Next()) {
      keys.push_back(
          {entry->key,
           entry->type,
           std::string(entry->label),
           {entry->mechanisms.begin(), entry->mechanisms.begin() + entry->mechanism_count},
           {entry->public_first.begin(), entry->public_first.end()},
           {entry->public_second.begin(), entry->public_second.end()}});
    }
    EXPECT_TRUE(reader->ok());
    if (keys.size() >= reader->page().total) return keys;
  }
}

Message Peer::Sign(const wire::SignRequest& request) {
  const uint32_t id = next_id_++;
  Send({MessageType::kSignRequest, wire::kVersion, id}, request);
  auto reply = Receive();
  if (!reply) {
    ADD_FAILURE() << "the connection ended";
    return {};
  }
  EXPECT_EQ(reply->header.request_id, id);
  return std::move(*reply);
}

wire::SignRequest EcdsaRequest(const wire::KeyRef& key) {
  static const std::vector<uint8_t> digest(32, 0x42);
  wire::SignRequest request{};
  request.key = key;
  request.mechanism = CKM_ECDSA;
  request.data = digest;
  return request;
}

std::optional<wire::Failure> FailureOf(const Message& message) {
  if (message.header.type != MessageType::kFailure) return std::nullopt;
  return wire::DecodeFailure(message.body);
}

const Peer::Key& KeyOfType(const std::vector<Peer::Key>& keys, cryptoki::KeyType type) {
  static const Peer::Key kNone{};
  const auto at = std::find_if(keys.begin(), keys.end(),
                               [&](const Peer::Key& key) { return key.type == type; });
  EXPECT_NE(at, keys.end());
  return at == keys.end() ? kNone : *at;
}

}  // namespace keybroker::tokenhost
