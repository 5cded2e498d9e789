#include <cstdlib>

#include "module/socket_path.h"
#include "support/module_fixture.h"

namespace keybroker::module {
namespace {

constexpr char kVariable[] = "KEYBROKER_SOCKET";

// Which socket the module goes to: two brokers, each with another listener's name.
class SocketChoice : public test::ModuleTest {
 protected:
  SocketChoice() {
    ::unsetenv(kVariable);
    broker_.SetListener("first");
    broker_.Start();
    second_.SetListener("second");
    second_.Start();
  }
  ~SocketChoice() override { ::unsetenv(kVariable); }

  std::string ListenerReached() {
    CK_TOKEN_INFO info{};
    const CK_RV rv = api_->C_GetTokenInfo(0, &info);
    if (rv != CKR_OK) return "none";
    const std::string serial(reinterpret_cast<char*>(info.serialNumber), sizeof info.serialNumber);
    return serial.substr(0, serial.find(' '));
  }

  const std::filesystem::path second_socket_ = dir_ / "second";
  test::FakeBroker second_{second_socket_};
};

TEST_F(SocketChoice, IsTheHostsWhereItNamesOne) {
  ::setenv(kVariable, socket_.c_str(), 1);
  ASSERT_EQ(InitializeAt(second_socket_), CKR_OK);
  EXPECT_EQ(ListenerReached(), "second");
}

TEST_F(SocketChoice, IsTheEnvironmentsWhereTheHostNamesNone) {
  ::setenv(kVariable, second_socket_.c_str(), 1);
  ASSERT_EQ(Initialize(), CKR_OK);
  EXPECT_EQ(ListenerReached(), "second");
}

TEST_F(SocketChoice, SurvivesAWipedEnvironment) {
  ::setenv(kVariable, second_socket_.c_str(), 1);
  ASSERT_EQ(Initialize(), CKR_OK);
  ::clearenv();
  EXPECT_EQ(ListenerReached(), "second");
  ASSERT_EQ(api_->C_Finalize(nullptr), CKR_OK);
  ASSERT_EQ(Initialize(), CKR_OK);
  EXPECT_EQ(ListenerReached(), "second") << "after another C_Initialize";
}

TEST_F(SocketChoice, RefusesAnEnvironmentThatIsNoPath) {
  ::setenv(kVariable, "relative/socket", 1);
  EXPECT_EQ(Initialize(), CKR_ARGUMENTS_BAD);
  ::setenv(kVariable, ("/" + std::string(107, 'a')).c_str(), 1);
  EXPECT_EQ(Initialize(), CKR_ARGUMENTS_BAD);
  ::setenv(kVariable, socket_.c_str(), 1);
  EXPECT_EQ(Initialize(), CKR_OK);
  EXPECT_EQ(ListenerReached(), "first");
}

// modutil gives NULL first and its string afterwards.
TEST_F(SocketChoice, TakesTheFirstThatIsNotNullUntilConnected) {
  ASSERT_EQ(api_->C_Initialize(nullptr), CKR_OK);
  EXPECT_EQ(InitializeAt(second_socket_), CKR_CRYPTOKI_ALREADY_INITIALIZED);
  EXPECT_EQ(InitializeAt(socket_), CKR_CRYPTOKI_ALREADY_INITIALIZED);
  EXPECT_EQ(ListenerReached(), "second");
}

TEST_F(SocketChoice, StaysOnceConnected) {
  ::setenv(kVariable, socket_.c_str(), 1);
  ASSERT_EQ(Initialize(), CKR_OK);
  ASSERT_EQ(ListenerReached(), "first");
  EXPECT_EQ(InitializeAt(second_socket_), CKR_CRYPTOKI_ALREADY_INITIALIZED);
  broker_.Kill();
  broker_.Start();
  EXPECT_EQ(ListenerReached(), "first");
}

TEST_F(SocketChoice, IsMadeAnewAfterFinalize) {
  ASSERT_EQ(InitializeAt(socket_), CKR_OK);
  ASSERT_EQ(ListenerReached(), "first");
  ASSERT_EQ(api_->C_Finalize(nullptr), CKR_OK);
  ASSERT_EQ(InitializeAt(second_socket_), CKR_OK);
  EXPECT_EQ(ListenerReached(), "second");
}

TEST_F(SocketChoice, RefusesWrongTextEvenWhenItIsNoNews) {
  ASSERT_EQ(InitializeAt(socket_), CKR_OK);
  EXPECT_EQ(Initialize("nonsense"), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(ListenerReached(), "first");
}

// Nothing in a test may bind the default path, so this asks the class.
TEST_F(SocketChoice, IsTheDefaultWhereNobodyNamesOne) {
  ::setenv(kVariable, "", 1);
  SocketPath path;
  EXPECT_STREQ(path.path(), "");
  EXPECT_TRUE(path.Choose({}));
  EXPECT_EQ(path.path(), kDefaultSocketPath);
}

}  // namespace
}  // namespace keybroker::module
