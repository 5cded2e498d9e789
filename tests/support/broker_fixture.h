#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>
#include "keybroker/base/json.h"

#include "broker/server.h"
#include "keybroker/config/settings.h"
#include "support/broker_client.h"
#include "support/fake_tokenhost.h"
#include "support/temp_dir.h"

namespace keybroker::test {

// BrokerTest is a broker in this process between clients and fake tokenhosts, all in one short
// temporary folder: listeners are written as files, as an operator's are.
class BrokerTest : public testing::Test {
 protected:
  BrokerTest();
  ~BrokerTest() override;

  // Set adds a line to a section of keybroker.toml: Set("broker", "workers = 2").
  void Set(const std::string& section, const std::string& line);

  // WriteListener writes NAME.toml; bindings is TOML for [[binding]] tables. users defaults to the
  // test's own user.
  void WriteListener(const std::string& name, const std::string& bindings,
                     const std::string& more = "", const std::string& users = "");
  static std::string Bind(const std::string& key, const std::string& mechanism = "tls-server");
  void RemoveListener(const std::string& name);
  void WriteCurrent(const std::string& text);

  // AddToken configures a token and gives its fake tokenhost, not started yet.
  FakeTokenhost& AddToken(const std::string& name);

  // Start runs the broker; the test fails when it cannot.
  void Start();
  Result<std::unique_ptr<broker::Server>> TryStart();
  config::Settings LoadSettings();
  void Stop() { server_.reset(); }

  std::filesystem::path Socket(const std::string& listener) const {
    return dir_ / ("run/" + listener + "/socket");
  }
  // ClientOf is a client of listener that has said Hello.
  BrokerClient ClientOf(const std::string& listener);
  nlohmann::json Status() const { return nlohmann::json::parse(server_->Status()); }
  nlohmann::json ListenerStatus(const std::string& name) const;

  // Eventually waits until done() is true, at most 30 seconds; it polls, because what it waits for
  // sends no event.
  template <typename Done>
  static bool Eventually(Done done) {
    for (int i = 0; i < 3000; ++i) {
      if (done()) return true;
      ::usleep(10'000);
    }
    return false;
  }

  const TempDir dir_;
  std::vector<std::unique_ptr<FakeTokenhost>> tokens_;
  std::unique_ptr<broker::Server> server_;

 private:
  std::map<std::string, std::string> sections_;
};

// OpenDescriptors counts this process's file descriptors.
size_t OpenDescriptors();

}  // namespace keybroker::test
