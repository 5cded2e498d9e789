#include "broker/binder.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keybroker/ipc/connect.h"
#include "keybroker/ipc/listening_socket.h"
#include "support/broker_fixture.h"

namespace keybroker {
namespace {

// Binding is a binder in a process of its own, which reads the files itself.
class Binding : public test::BrokerTest {
 protected:
  void SetUp() override {
    WriteListener("https", Bind("a.example.test"), "mode = \"0600\"\n");
    settings_ = LoadSettings();
    const auto user = FindUser(std::to_string(::geteuid()));
    ASSERT_TRUE(user);
    user_ = *user;
    binder_ = std::make_unique<broker::Binder>(settings_, user_, std::set<std::string>());
    ASSERT_TRUE(binder_->Separate());
  }

  broker::Configuration Read() const {
    auto configuration = broker::LoadConfiguration(settings_, user_);
    EXPECT_TRUE(configuration);
    return configuration ? *std::move(configuration) : broker::Configuration();
  }

  mode_t ModeOfSocket() const {
    struct stat info {};
    return ::stat(Socket("https").c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
  }

  config::Settings settings_;
  User user_;
  std::unique_ptr<broker::Binder> binder_;
};

TEST_F(Binding, IsNotDoneOfWhatTheBrokerReadOtherwise) {
  const broker::Configuration first = Read();
  auto bound = binder_->Bind(first);
  ASSERT_TRUE(bound) << bound.error().detail;
  ASSERT_EQ(bound->size(), 1U);
  EXPECT_EQ(ModeOfSocket(), 0600U);

  WriteListener("https", Bind("a.example.test"), "mode = \"0660\"\n");
  const auto late = binder_->Bind(first);
  ASSERT_FALSE(late);
  EXPECT_THAT(late.error().detail, testing::HasSubstr("reload again"));
  EXPECT_EQ(ModeOfSocket(), 0600U) << "the socket that is listened on keeps its name";

  bound = binder_->Bind(Read());
  ASSERT_TRUE(bound) << bound.error().detail;
  EXPECT_EQ(bound->size(), 1U) << "and the next reload makes the new one";
  EXPECT_EQ(ModeOfSocket(), 0660U);
}

TEST_F(Binding, FirstMakesSocketsThatDoNotListenYet) {
  broker::Binder binder(settings_, user_, {});
  const auto bound = binder.BindFirst(Read());
  ASSERT_TRUE(bound) << bound.error().detail;
  ASSERT_EQ(bound->size(), 1U);
  EXPECT_EQ(ModeOfSocket(), 0600U);
  const auto refused =
      ipc::Connect(Socket("https"), std::chrono::seconds(60), ipc::FullBacklog::kFail);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().detail, "Connection refused");
  ASSERT_TRUE(ipc::Listen(bound->front().fd.get()));
  EXPECT_TRUE(ipc::Connect(Socket("https"), std::chrono::seconds(60), ipc::FullBacklog::kFail));
}

}  // namespace
}  // namespace keybroker
