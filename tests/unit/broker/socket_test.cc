#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "broker/bind_socket.h"
#include "support/broker_fixture.h"

namespace keybroker {
namespace {

using broker::BindSocket;
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
  const auto bound = BindSocket(At("new/deep/socket"), ::geteuid());
  ASSERT_TRUE(bound) << Why(bound);
  struct stat info {};
  ASSERT_EQ(::lstat((dir_ / "new/deep/socket").c_str(), &info), 0);
  EXPECT_TRUE(S_ISSOCK(info.st_mode));
  EXPECT_EQ(info.st_mode & 07777U, 0640U);
  ASSERT_EQ(::lstat((dir_ / "new/deep").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0755U);
}

TEST_F(ListeningSocket, ReplacesAStaleOneAndNothingElse) {
  { ASSERT_TRUE(BindSocket(At("socket"), ::geteuid())); }
  const auto again = BindSocket(At("socket"), ::geteuid());
  ASSERT_TRUE(again) << "nobody listens on the first any more: " << Why(again);
  const auto live = BindSocket(At("socket"), ::geteuid());
  ASSERT_FALSE(live);
  EXPECT_EQ(live.error().code, ErrorCode::kConflict);
  EXPECT_THAT(Why(live), HasSubstr("in use by a running process"));
  test::WriteAll(dir_ / "file", "precious");
  EXPECT_THAT(Why(BindSocket(At("file"), ::geteuid())), HasSubstr("is not a socket"));
  EXPECT_EQ(test::ReadAll(dir_ / "file"), "precious");
  // Nothing half-made stays behind.
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
    names.push_back(entry.path().filename().string());
  }
  EXPECT_THAT(names, testing::UnorderedElementsAre("listeners.d", "tokens.d", "socket", "file"));
}

TEST_F(ListeningSocket, IsRefusedInADirectoryThatOthersCanWrite) {
  std::filesystem::create_directories(dir_ / "open/below");
  for (const mode_t mode : {0777U, 0775U, 01777U}) {
    ASSERT_EQ(::chmod((dir_ / "open/below").c_str(), mode), 0);
    EXPECT_THAT(Why(BindSocket(At("open/below/socket"), ::geteuid())),
                HasSubstr("open/below is writable by others than its owner"));
  }
  ASSERT_EQ(::chmod((dir_ / "open/below").c_str(), 0755), 0);
  ASSERT_EQ(::chmod((dir_ / "open").c_str(), 0777), 0);
  EXPECT_THAT(Why(BindSocket(At("open/below/socket"), ::geteuid())),
              HasSubstr("open is writable by others than its owner"));
}

TEST_F(ListeningSocket, IsRefusedInADirectoryOfAStranger) {
  if (::geteuid() != 0) GTEST_SKIP() << "NOT TESTED: giving a directory away needs root";
  std::filesystem::create_directories(dir_ / "theirs");
  ASSERT_EQ(::chown((dir_ / "theirs").c_str(), 12345, 12345), 0);
  EXPECT_THAT(Why(BindSocket(At("theirs/socket"), 0)), HasSubstr("belongs to uid 12345"));
  EXPECT_TRUE(BindSocket(At("theirs/socket"), 12345)) << "the broker's own user is no stranger";
}

TEST_F(ListeningSocket, IsRefusedWhereASymbolicLinkLeadsOutOfItsJail) {
  std::filesystem::create_directories(dir_ / "jail");
  std::filesystem::create_directories(dir_ / "outside");
  std::filesystem::create_directory_symlink(dir_ / "outside", dir_ / "jail/run");
  Endpoint endpoint = At("jail/run/socket");
  EXPECT_TRUE(BindSocket(endpoint, ::geteuid())) << "outside of jails links are followed";
  endpoint.path = dir_ / "jail/run/other";
  endpoint.jail = dir_ / "jail";
  EXPECT_THAT(Why(BindSocket(endpoint, ::geteuid())), HasSubstr("symbolic link"));
}

TEST_F(ListeningSocket, HasAPathThatFitsTheKernel) {
  EXPECT_THAT(Why(BindSocket(At(std::string(120, 'x')), ::geteuid())),
              HasSubstr("unix(7) allows 1 to 107"));
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
