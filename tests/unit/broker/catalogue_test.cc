#include <gmock/gmock.h>

#include "support/broker_fixture.h"

namespace keybroker {
namespace {

using test::BrokerClient;
using test::EcKey;
using test::FakeKey;
using test::RsaKey;
using testing::ElementsAre;

class Catalogue : public test::BrokerTest {
 protected:
  // Shown lists "label:id-byte:mechanisms" of what a listener sees, in its order.
  std::vector<std::string> Shown(const std::string& listener) {
    BrokerClient client = ClientOf(listener);
    std::vector<std::string> shown;
    const auto keys = client.Keys();
    EXPECT_TRUE(keys);
    if (!keys) return shown;
    for (const auto& key : *keys) {
      shown.push_back(key.label + ":" + std::to_string(key.id.back()) + ":" +
                      std::to_string(key.mechanisms.size()));
    }
    return shown;
  }
};

TEST_F(Catalogue, ShowsEachListenerExactlyWhatItsBindingsPermit) {
  auto weak = EcKey("b.example.test", 4);
  weak.mechanisms = {CKM_ECDSA};
  auto& token = AddToken("soft");
  token.SetKeys({RsaKey("a.example.test", 1), EcKey("a.example.test", 2),
                 EcKey("secret.example.test", 3), weak});
  token.Start();
  WriteListener("all", Bind("a.example.test") + Bind("b.example.test"));
  WriteListener("one", Bind("a.example.test", "CKM_ECDSA"));
  WriteListener("lacking", Bind("b.example.test", "CKM_ECDSA_SHA256"));
  WriteListener("none", "");
  Start();
  EXPECT_THAT(Shown("all"),
              ElementsAre("a.example.test:1:8", "a.example.test:2:4", "b.example.test:4:1"));
  EXPECT_THAT(Shown("one"), ElementsAre("a.example.test:2:1"));
  EXPECT_THAT(Shown("lacking"), ElementsAre()) << "the token cannot do what is bound";
  EXPECT_THAT(Shown("none"), ElementsAre());
}

TEST_F(Catalogue, GivesManyKeysInPagesThatAreAllFull) {
  auto& token = AddToken("soft");
  std::vector<FakeKey> keys;
  std::string bindings;
  for (uint32_t i = 0; i < 400; ++i) {
    const std::string name = "k" + std::to_string(1000 + i) + ".example.test";
    keys.push_back(EcKey(name, i + 1));
    keys.back().certificate.assign(2000, 9);
    bindings += Bind(name);
  }
  token.SetKeys(keys);
  token.Start();
  WriteListener("many", bindings);
  Start();
  BrokerClient client = ClientOf("many");
  int pages = 0;
  const auto seen = client.Keys(&pages);
  ASSERT_TRUE(seen);
  ASSERT_EQ(seen->size(), keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    EXPECT_EQ((*seen)[i].label, keys[i].name);
    EXPECT_EQ((*seen)[i].ref, keys[i].ref());
    EXPECT_EQ((*seen)[i].certificate, keys[i].certificate);
  }
  EXPECT_EQ(pages, 5);
}

TEST_F(Catalogue, ShowsTheOnlyKeyOfANameAsCurrentAndOfSeveralNone) {
  auto& token = AddToken("soft");
  token.SetKeys(
      {EcKey("one.example.test", 1), EcKey("two.example.test", 2), EcKey("two.example.test", 3)});
  token.Start();
  WriteListener("https", Bind("one.example.test") + Bind("two.example.test"));
  Start();
  EXPECT_THAT(Shown("https"), ElementsAre("one.example.test:1:4", ":2:4", ":3:4"));
  EXPECT_THAT(Status().at("warnings"),
              ElementsAre("there are 2 keys, and none is named current: ec key of "
                          "two.example.test; they are found by id only; name one in current.toml"));
}

TEST_F(Catalogue, ShowsTheNamedGenerationFirstAndOlderOnesWithoutALabel) {
  auto& token = AddToken("soft");
  token.SetKeys({EcKey("two.example.test", 2), EcKey("two.example.test", 3)});
  token.Start();
  WriteListener("https", Bind("two.example.test"));
  WriteCurrent("[\"two.example.test\"]\nec = \"00000003\"\n");
  Start();
  EXPECT_THAT(Shown("https"), ElementsAre("two.example.test:3:4", ":2:4"));
  // What is not current signs all the same: references name it by id until it is retired.
  const auto old = EcKey("two.example.test", 2).ref();
  EXPECT_EQ(ClientOf("https").Sign(old, CKM_ECDSA, test::Digest32()).signature.size(), 64U);
}

TEST_F(Catalogue, ShowsNoKeyAsCurrentWhenTheNamedOneIsGone) {
  auto& token = AddToken("soft");
  token.SetKeys({EcKey("two.example.test", 2)});
  token.Start();
  WriteListener("https", Bind("two.example.test"));
  WriteCurrent("[\"two.example.test\"]\nec = \"00000009\"\n");
  Start();
  EXPECT_THAT(Shown("https"), ElementsAre(":2:4"));
  EXPECT_THAT(Status().at("warnings"),
              ElementsAre("current.toml names 00000009 as the ec key of two.example.test, which is "
                          "on no token"));
}

TEST_F(Catalogue, HasOneGenerationForOneContentAcrossRestarts) {
  auto& token = AddToken("soft");
  token.SetKeys({EcKey("a.example.test", 1), EcKey("b.example.test", 2)});
  token.Start();
  WriteListener("a", Bind("a.example.test"));
  WriteListener("b", Bind("b.example.test"));
  Start();
  const uint64_t a = ListenerStatus("a").at("generation");
  const uint64_t b = ListenerStatus("b").at("generation");
  EXPECT_NE(a, b);
  EXPECT_NE(a, 0U);
  Stop();
  Start();
  EXPECT_EQ(ListenerStatus("a").at("generation"), a);
  // Another key of b's changes b's generation and not a's.
  token.SetKeys(
      {EcKey("a.example.test", 1), EcKey("b.example.test", 2), RsaKey("b.example.test", 3)});
  ASSERT_TRUE(server_->Reload());
  EXPECT_EQ(ListenerStatus("a").at("generation"), a);
  EXPECT_NE(ListenerStatus("b").at("generation"), b);
}

TEST_F(Catalogue, JoinsTheKeysOfSeveralTokens) {
  auto& first = AddToken("first");
  auto& second = AddToken("second");
  first.SetKeys({EcKey("a.example.test", 1)});
  second.SetKeys({RsaKey("a.example.test", 2)});
  first.Start();
  second.Start();
  WriteListener("https", Bind("a.example.test"));
  Start();
  EXPECT_THAT(Shown("https"), ElementsAre("a.example.test:2:8", "a.example.test:1:4"));
  BrokerClient client = ClientOf("https");
  const auto digest = test::Digest32();
  EXPECT_EQ(client.Sign(EcKey("", 1).ref(), CKM_ECDSA, digest).signature.size(), 64U);
  EXPECT_EQ(client.Sign(RsaKey("", 2).ref(), CKM_SHA256_RSA_PKCS, digest).signature.size(), 256U);
  EXPECT_EQ(first.signs(), 1U);
  EXPECT_EQ(second.signs(), 1U);
}

TEST_F(Catalogue, IsRememberedWhileTheTokenhostIsAway) {
  auto& token = AddToken("soft");
  token.SetKeys({EcKey("a.example.test", 1)});
  WriteListener("https", Bind("a.example.test"));
  Set("broker", "unavailable_budget_ms = 100");
  Start();
  EXPECT_FALSE(ClientOf("https").Hello()->token_present) << "no token has been heard of yet";
  EXPECT_EQ(Status().at("tokens")[0].at("state"), "away");
  token.Start();
  ASSERT_TRUE(Eventually([&] { return Shown("https").size() == 1; }));
  token.Kill();
  EXPECT_TRUE(ClientOf("https").Hello()->token_present);
  EXPECT_THAT(Shown("https"), ElementsAre("a.example.test:1:4"));
}

TEST_F(Catalogue, BeginsAgainWhenAnotherGenerationIsAskedFor) {
  auto& token = AddToken("soft");
  token.SetKeys({EcKey("a.example.test", 1)});
  token.Start();
  WriteListener("https", Bind("a.example.test"));
  Start();
  BrokerClient client = ClientOf("https");
  std::vector<uint8_t> message(64);
  wire::FrameWriter frame(message, {wire::MessageType::kCatalogueRequest, 1, 77});
  wire::Encode(wire::CatalogueRequest{12345, 1}, frame.body());
  ASSERT_TRUE(client.SendRaw({message.data(), frame.Finish()}));
  const auto reply = client.Read();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->header.request_id, 77U);
  const auto reader = wire::CatalogueReader::Open(reply->body);
  ASSERT_TRUE(reader);
  EXPECT_EQ(reader->page().first, 0U);
  EXPECT_EQ(reader->page().count, 1U);
}

}  // namespace
}  // namespace keybroker
