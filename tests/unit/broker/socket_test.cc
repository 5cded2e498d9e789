#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/bind_endpoint.h"
#include "support/broker_fixture.h"

namespace keybroker {
namespace {

using broker::BindEndpoint;
using broker::Endpoint;
using test::EcKey;
using testing::HasSubstr;

class ListeningSocket : public test::BrokerTest {
 protected:
  Endpoint At(const std::string& path) {
    return {"https", dir_ / path, {}, ::geteuid(), ::getegid(), 0640};
  }
  static std::string Why(const Result<UniqueFd>& bound) {
    return bound ? "bound" : bound.error().detail;
  }
};

TEST_F(ListeningSocket, IsMadeWithOwnerModeAndDirectories) {
  const auto bound = BindEndpoint(At("new/deep/socket"));
  ASSERT_TRUE(bound) << Why(bound);
  struct stat info {};
  ASSERT_EQ(::lstat((dir_ / "new/deep/socket").c_str(), &info), 0);
  EXPECT_TRUE(S_ISSOCK(info.st_mode));
  EXPECT_EQ(info.st_mode & 07777U, 0640U);
  ASSERT_EQ(::lstat((dir_ / "new/deep").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0755U);
}

TEST_F(ListeningSocket, IsRefusedInADirectoryThatOthersCanWrite) {
  std::filesystem::create_directories(dir_ / "open/below");
  ASSERT_EQ(::chmod((dir_ / "open/below").c_str(), 0777), 0);
  EXPECT_THAT(Why(BindEndpoint(At("open/below/socket"))),
              HasSubstr("open/below is writable by others than its owner"));
}

TEST_F(ListeningSocket, IsRefusedWhereASymbolicLinkLeadsOutOfItsJail) {
  std::filesystem::create_directories(dir_ / "jail");
  std::filesystem::create_directories(dir_ / "outside");
  std::filesystem::create_directory_symlink(dir_ / "outside", dir_ / "jail/run");
  Endpoint endpoint = At("jail/run/socket");
  EXPECT_TRUE(BindEndpoint(endpoint)) << "outside of jails links are followed";
  endpoint.path = dir_ / "jail/run/other";
  endpoint.jail = dir_ / "jail";
  EXPECT_THAT(Why(BindEndpoint(endpoint)), HasSubstr("symbolic link"));
}

TEST_F(ListeningSocket, HasAPathThatFitsTheKernel) {
  EXPECT_THAT(Why(BindEndpoint(At(std::string(120, 'x')))), HasSubstr("unix(7) allows 1 to 107"));
  EXPECT_THAT(Why(BindEndpoint(At("new/" + std::string(120, 'x')))),
              HasSubstr("unix(7) allows 1 to 107"));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "new")) << "no directory was made in vain";
}

TEST_F(ListeningSocket, AppearsInEachJailAtTheSamePath) {
  auto& token = AddToken("soft");
  token.SetKeys({EcKey("a.example.test", 1)});
  token.Start();
  std::filesystem::create_directories(dir_ / "jail");
  WriteListener("smtp", Bind("a.example.test"), "jails = [\"" + (dir_ / "jail").string() + "\"]");
  Start();
  const auto inside = dir_ / ("jail" + Socket("smtp").string());
  test::BrokerClient client;
  ASSERT_TRUE(client.Connect(inside)) << inside;
  ASSERT_TRUE(client.Hello());
  EXPECT_EQ(client.listener(), "smtp");
  EXPECT_EQ(client.Sign(EcKey("", 1).ref(), CKM_ECDSA, test::Digest32()).signature.size(), 64U);
}

TEST_F(ListeningSocket, OfARunningBrokerIsNotTakenByASecondOne) {
  WriteListener("https", "");
  Start();
  const auto second = TryStart();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kConflict);
  EXPECT_TRUE(ClientOf("https").Keys()) << "and the first goes on";
}

}  // namespace
}  // namespace keybroker
