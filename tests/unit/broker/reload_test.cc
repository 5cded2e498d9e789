#include <gmock/gmock.h>

#include "support/broker_fixture.h"

namespace keybroker {
namespace {

using test::BrokerClient;
using test::Digest32;
using test::EcKey;
using test::Outcome;
using testing::HasSubstr;

class Reload : public test::BrokerTest {
 protected:
  void SetUp() override {
    token_ = &AddToken("soft");
    token_->SetKeys({EcKey("a.example.test", 1), EcKey("b.example.test", 2)});
    token_->Start();
    WriteListener("https", Bind("a.example.test"));
    WriteListener("smtp", Bind("a.example.test"));
  }

  static uint32_t RvOf(const Outcome& outcome) {
    return outcome.failure ? outcome.failure->rv : static_cast<uint32_t>(CKR_OK);
  }

  test::FakeTokenhost* token_ = nullptr;
  const wire::KeyRef a_ = EcKey("", 1).ref();
  const wire::KeyRef b_ = EcKey("", 2).ref();
};

TEST_F(Reload, TakesABindingAwayFromTheNextRequestOnTheSameConnection) {
  Start();
  BrokerClient client = ClientOf("https");
  EXPECT_EQ(client.Sign(a_, CKM_ECDSA, Digest32()).signature.size(), 64U);
  WriteListener("https", "");
  ASSERT_TRUE(server_->Reload());
  EXPECT_EQ(RvOf(client.Sign(a_, CKM_ECDSA, Digest32())), CKR_KEY_HANDLE_INVALID);
  WriteListener("https", Bind("a.example.test") + Bind("b.example.test"));
  ASSERT_TRUE(server_->Reload());
  EXPECT_EQ(client.Sign(a_, CKM_ECDSA, Digest32()).signature.size(), 64U);
  EXPECT_EQ(client.Sign(b_, CKM_ECDSA, Digest32()).signature.size(), 64U);
}

TEST_F(Reload, KeepsTheOldStateWhenANewFileIsBrokenAndSaysWhere) {
  Start();
  BrokerClient client = ClientOf("https");
  WriteListener("https", "");
  test::WriteAll(dir_ / "listeners.d/smtp.toml",
                 "[listener]\nname = \"smtp\"\nusrs = [\"root\"]\n");
  WriteListener("imap", Bind("a.example.test"));
  const auto reloaded = server_->Reload();
  ASSERT_FALSE(reloaded);
  EXPECT_EQ(reloaded.error().code, ErrorCode::kMalformed);
  EXPECT_THAT(reloaded.error().detail,
              HasSubstr((dir_ / "listeners.d/smtp.toml").string() + ":3:"));
  EXPECT_EQ(client.Sign(a_, CKM_ECDSA, Digest32()).signature.size(), 64U) << "nothing was taken";
  EXPECT_EQ(Status().at("listeners").size(), 2U);
  EXPECT_FALSE(std::filesystem::exists(Socket("imap")));
}

TEST_F(Reload, KeepsTheOldStateWhenASocketCannotBeBound) {
  Start();
  BrokerClient client = ClientOf("https");
  std::filesystem::create_directories(dir_ / "unsafe");
  std::filesystem::permissions(dir_ / "unsafe", std::filesystem::perms::all);
  WriteListener("https", "");
  WriteListener("imap", "", "socket = \"" + (dir_ / "unsafe/socket").string() + "\"");
  WriteListener("aaa", "");
  const auto reloaded = server_->Reload();
  ASSERT_FALSE(reloaded);
  EXPECT_THAT(reloaded.error().detail, HasSubstr("unsafe is writable by others"));
  EXPECT_EQ(client.Sign(a_, CKM_ECDSA, Digest32()).signature.size(), 64U);
  EXPECT_FALSE(std::filesystem::exists(Socket("aaa"))) << "what was bound before it is undone";
}

TEST_F(Reload, EndsTheConnectionsOfARemovedListenerAndOfNoOther) {
  Start();
  BrokerClient smtp = ClientOf("smtp");
  BrokerClient https = ClientOf("https");
  RemoveListener("smtp");
  ASSERT_TRUE(server_->Reload());
  EXPECT_TRUE(smtp.Ended());
  EXPECT_FALSE(std::filesystem::exists(Socket("smtp")));
  EXPECT_FALSE(BrokerClient().Connect(Socket("smtp")));
  EXPECT_EQ(https.Sign(a_, CKM_ECDSA, Digest32()).signature.size(), 64U);
}

TEST_F(Reload, ServesANewListenerAtOnce) {
  Start();
  WriteListener("imap", Bind("b.example.test"));
  ASSERT_TRUE(server_->Reload());
  EXPECT_EQ(ClientOf("imap").Sign(b_, CKM_ECDSA, Digest32()).signature.size(), 64U);
}

TEST_F(Reload, MovesASocketWithoutEndingConnections) {
  Start();
  BrokerClient old = ClientOf("https");
  WriteListener("https", Bind("a.example.test"),
                "socket = \"" + (dir_ / "run/elsewhere/socket").string() + "\"");
  ASSERT_TRUE(server_->Reload());
  EXPECT_EQ(old.Sign(a_, CKM_ECDSA, Digest32()).signature.size(), 64U);
  EXPECT_FALSE(std::filesystem::exists(Socket("https")));
  EXPECT_EQ(ClientOf("elsewhere").Sign(a_, CKM_ECDSA, Digest32()).signature.size(), 64U);
}

TEST_F(Reload, ReplacesASocketWhoseModeHasChanged) {
  Start();
  WriteListener("https", Bind("a.example.test"), "mode = \"0600\"");
  ASSERT_TRUE(server_->Reload());
  EXPECT_EQ(std::filesystem::status(Socket("https")).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_EQ(ClientOf("https").Sign(a_, CKM_ECDSA, Digest32()).signature.size(), 64U);
}

TEST_F(Reload, SeesKeysThatWereMadeMeanwhile) {
  WriteListener("https", Bind("c.example.test"));
  Start();
  const auto c = EcKey("c.example.test", 3);
  EXPECT_EQ(RvOf(ClientOf("https").Sign(c.ref(), CKM_ECDSA, Digest32())), CKR_KEY_HANDLE_INVALID);
  token_->SetKeys({EcKey("a.example.test", 1), c});
  ASSERT_TRUE(server_->Reload());
  EXPECT_EQ(ClientOf("https").Sign(c.ref(), CKM_ECDSA, Digest32()).signature.size(), 64U);
}

TEST_F(Reload, AddsAndRemovesTokens) {
  WriteListener("https", Bind("c.example.test"));
  Start();
  auto& second = AddToken("second");
  second.SetKeys({EcKey("c.example.test", 3)});
  second.Start();
  ASSERT_TRUE(server_->Reload());
  BrokerClient client = ClientOf("https");
  EXPECT_EQ(client.Sign(EcKey("", 3).ref(), CKM_ECDSA, Digest32()).signature.size(), 64U);
  std::filesystem::remove(dir_ / "tokens.d/second.toml");
  ASSERT_TRUE(server_->Reload());
  EXPECT_EQ(RvOf(client.Sign(EcKey("", 3).ref(), CKM_ECDSA, Digest32())), CKR_KEY_HANDLE_INVALID);
}

TEST_F(Reload, DropsNoRequestUnderLoad) {
  Start();
  std::atomic<bool> stop{false};
  std::atomic<int> right{0};
  std::atomic<int> wrong{0};
  std::vector<std::thread> load(4);
  for (std::thread& client_thread : load) {
    client_thread = std::thread([&] {
      BrokerClient client = ClientOf("https");
      while (!stop.load()) {
        const bool signed_it = client.Sign(a_, CKM_ECDSA, Digest32()).signature.size() == 64;
        (signed_it ? right : wrong).fetch_add(1);
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    if (i % 2 == 0) RemoveListener("smtp");
    if (i % 2 == 1) WriteListener("smtp", Bind("b.example.test"));
    EXPECT_TRUE(server_->Reload());
    // Under load: each reload has requests before and after it.
    for (const int before = right.load(); right.load() == before && wrong.load() == 0;) {
      std::this_thread::yield();
    }
  }
  stop.store(true);
  for (auto& thread : load) thread.join();
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_GT(right.load(), 0);
}

}  // namespace
}  // namespace keybroker
