#include "support/broker_fixture.h"

#include <unistd.h>

#include <iterator>
#include <utility>

#include "keybroker/base/process.h"

namespace keybroker::test {

BrokerTest::BrokerTest() {
  std::filesystem::create_directories(dir_ / "listeners.d");
  std::filesystem::create_directories(dir_ / "tokens.d");
  sections_["paths"] = "runtime_dir = \"run\"\nstate_dir = \"state\"\n";
  // As root the broker would drop to this user, and the binder would be a process of its own:
  // tests of that start the program itself.
  sections_["users"] = "broker_user = \"" + std::to_string(::geteuid()) + "\"\n";
}

BrokerTest::~BrokerTest() {
  server_.reset();
  tokens_.clear();
}

void BrokerTest::Set(const std::string& section, const std::string& line) {
  sections_[section] += line + "\n";
}

std::string BrokerTest::Bind(const std::string& key, const std::string& mechanism) {
  return "\n[[binding]]\nkey = \"" + key + "\"\nmechanisms = [\"" + mechanism + "\"]\n";
}

void BrokerTest::WriteListener(const std::string& name, const std::string& bindings,
                               const std::string& more, const std::string& users) {
  const std::string allowed = users.empty() ? "\"" + std::to_string(::geteuid()) + "\"" : users;
  WriteAll(
      dir_ / ("listeners.d/" + name + ".toml"),
      "[listener]\nname = \"" + name + "\"\nusers = [" + allowed + "]\n" + more + "\n" + bindings);
}

void BrokerTest::RemoveListener(const std::string& name) {
  std::filesystem::remove(dir_ / ("listeners.d/" + name + ".toml"));
}

void BrokerTest::WriteCurrent(const std::string& text) { WriteAll(dir_ / "current.toml", text); }

FakeTokenhost& BrokerTest::AddToken(const std::string& name) {
  WriteAll(dir_ / ("tokens.d/" + name + ".toml"), "# not the broker's business\n");
  tokens_.push_back(std::make_unique<FakeTokenhost>(dir_ / ("run/tokens/" + name + ".socket")));
  return *tokens_.back();
}

config::Settings BrokerTest::LoadSettings() {
  std::string text;
  for (const auto& [section, lines] : sections_) text += "[" + section + "]\n" + lines;
  WriteAll(dir_ / "keybroker.toml", text);
  auto settings = config::LoadSettings(dir_ / "keybroker.toml");
  EXPECT_TRUE(settings) << (settings ? "" : settings.error().detail);
  return settings ? *settings : config::Settings{};
}

Result<std::unique_ptr<broker::Server>> BrokerTest::TryStart() {
  KB_ASSIGN(broker::Prepared prepared, broker::Prepare(LoadSettings(), {}));
  return broker::Server::Start(std::move(prepared));
}

void BrokerTest::Start() {
  auto server = TryStart();
  ASSERT_TRUE(server) << server.error().detail;
  server_ = std::move(*server);
}

BrokerClient BrokerTest::ClientOf(const std::string& listener) {
  BrokerClient client;
  EXPECT_TRUE(client.Connect(Socket(listener)));
  EXPECT_TRUE(client.Hello());
  return client;
}

nlohmann::json BrokerTest::ListenerStatus(const std::string& name) const {
  const nlohmann::json status = Status();
  for (const auto& listener : status.at("listeners")) {
    if (listener.at("name") == name) return listener;
  }
  return {};
}

size_t OpenDescriptors() {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                                           std::filesystem::directory_iterator()));
}

}  // namespace keybroker::test
