#include "support/module_fixture.h"

namespace keybroker::module {
namespace {

using test::BrokerRequest;
using test::Deed;
using wire::MessageType;

// The module is of one version; brokers of other ones greet it (docs/protocol.md, Versions).
class Versions : public test::ModuleTest {
 protected:
  CK_RV TokenInfo() {
    CK_TOKEN_INFO info{};
    return api_->C_GetTokenInfo(0, &info);
  }
};

TEST_F(Versions, AreOfferedInHello) {
  Start();
  ASSERT_EQ(TokenInfo(), CKR_OK);
  const BrokerRequest hello = broker_.Last();
  ASSERT_EQ(hello.header.type, MessageType::kHello);
  EXPECT_EQ(hello.header.version, 0);
  const auto offer = wire::DecodeHello(hello.body);
  ASSERT_TRUE(offer);
  EXPECT_EQ(offer->min_version, wire::kMinVersion);
  EXPECT_EQ(offer->max_version, wire::kVersion);
}

TEST_F(Versions, OfANewerBrokerAgreeOnThisOne) {
  const test::FakeKey key = test::EcKey("a.example.test", 1);
  broker_.SetVersions(wire::kMinVersion, wire::kVersion + 7);
  Start({key});
  const CK_SESSION_HANDLE session = Open();
  EXPECT_EQ(SignDigest(session, PrivateKey(session, key)).rv, CKR_OK);
  EXPECT_EQ(broker_.Last().header.version, wire::kVersion);
}

// What is sent on a connection carries the version that was agreed on there.
TEST_F(Versions, AreThoseOfTheBrokerThatCameInItsPlace) {
  const test::FakeKey key = test::EcKey("a.example.test", 1);
  broker_.SetVersions(wire::kMinVersion, wire::kVersion + 7);
  Start({key});
  const CK_SESSION_HANDLE session = Open();
  const CK_OBJECT_HANDLE handle = PrivateKey(session, key);
  broker_.Kill();
  broker_.SetVersions(wire::kMinVersion, wire::kVersion);
  broker_.Start();
  EXPECT_EQ(SignDigest(session, handle).rv, CKR_OK);
  EXPECT_EQ(broker_.Last().header.version, wire::kVersion);
}

// The refusal is told at once, without the wait for a broker that is away.
TEST_F(Versions, ThatNeverMeetAreARefusalAtOnce) {
  broker_.SetVersions(wire::kVersion + 1, wire::kVersion + 2);
  Start();
  EXPECT_EQ(TokenInfo(), CKR_FUNCTION_FAILED);
  EXPECT_EQ(broker_.connections(), 1u);
  broker_.SetVersions(wire::kMinVersion, wire::kVersion);
  EXPECT_EQ(TokenInfo(), CKR_OK) << "a broker that was updated is spoken to";
}

TEST_F(Versions, ThatWereNotOfferedAreNotSpoken) {
  broker_.SetScript([this](const BrokerRequest& request) {
    Deed deed{Deed::Kind::kSend, broker_.RightAnswer(request), false};
    if (request.header.type == MessageType::kHello && request.nth == 1) {
      deed.bytes[wire::kHeaderSize + 1] = wire::kVersion + 1;
    }
    if (request.header.type == MessageType::kHello && request.nth == 2) {
      deed.bytes[wire::kHeaderSize + 1] = 0;
    }
    return deed;
  });
  Start();
  EXPECT_EQ(TokenInfo(), CKR_OK);
  EXPECT_EQ(broker_.connections(), 3u);
}

// Later versions may add fields at the end of HelloReply.
TEST_F(Versions, OfANewerBrokerMayHaveALongerHelloReply) {
  const test::FakeKey key = test::EcKey("a.example.test", 1);
  broker_.SetScript([this](const BrokerRequest& request) {
    if (request.header.type != MessageType::kHello) return Deed{};
    Deed deed{Deed::Kind::kSend, broker_.RightAnswer(request), false};
    deed.bytes.resize(deed.bytes.size() + 1000, 0xab);
    const size_t body = deed.bytes.size() - wire::kHeaderSize;
    deed.bytes[10] = static_cast<uint8_t>(body >> 8);
    deed.bytes[11] = static_cast<uint8_t>(body);
    return deed;
  });
  Start({key});
  const CK_SESSION_HANDLE session = Open();
  EXPECT_EQ(SignDigest(session, PrivateKey(session, key)).rv, CKR_OK);
  EXPECT_EQ(broker_.connections(), 1u);
}

}  // namespace
}  // namespace keybroker::module
