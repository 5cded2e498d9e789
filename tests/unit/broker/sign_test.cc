#include <gmock/gmock.h>

#include "support/broker_fixture.h"

namespace keybroker {
namespace {

using test::BrokerClient;
using test::Digest32;
using test::EcKey;
using test::FakeSignature;
using test::Outcome;
using test::RsaKey;

class Sign : public test::BrokerTest {
 protected:
  void SetUp() override {
    token_ = &AddToken("soft");
    token_->SetKeys({EcKey("mail.example.test", 1), RsaKey("mail.example.test", 2),
                     EcKey("other.example.test", 3)});
    token_->Start();
    WriteListener("https", Bind("mail.example.test"));
    WriteListener("rsaonly", Bind("mail.example.test", "CKM_RSA_PKCS_PSS"));
  }

  // Denied runs one request and gives the CK_RV of its denial.
  uint32_t Denied(const std::string& listener, const wire::KeyRef& key, uint32_t mechanism,
                  wire::Bytes data, std::optional<wire::PssParameters> pss = std::nullopt) {
    BrokerClient client = ClientOf(listener);
    const Outcome outcome = client.Sign(key, mechanism, data, pss);
    EXPECT_TRUE(outcome.signature.empty());
    EXPECT_TRUE(outcome.failure);
    if (!outcome.failure) return 0;
    EXPECT_EQ(outcome.failure->code, ErrorCode::kDenied);
    return outcome.failure->rv;
  }

  test::FakeTokenhost* token_ = nullptr;
};

// Failing is a tokenhost's answer that is a Failure.
std::vector<uint8_t> Failing(const wire::Header& header, wire::Failure failure) {
  std::vector<uint8_t> message(64);
  wire::FrameWriter frame(message,
                          {wire::MessageType::kFailure, header.version, header.request_id});
  wire::Encode(failure, frame.body());
  message.resize(frame.Finish());
  return message;
}

// Signing is one that is a SignReply.
std::vector<uint8_t> Signing(const wire::Header& header, wire::Bytes signature) {
  std::vector<uint8_t> message(2048);
  wire::FrameWriter frame(message,
                          {wire::MessageType::kSignReply, header.version, header.request_id});
  wire::Encode(wire::SignReply{signature}, frame.body());
  message.resize(frame.Finish());
  return message;
}

TEST_F(Sign, CarriesASignatureFromTheTokenToTheListener) {
  Start();
  BrokerClient client = ClientOf("https");
  const auto key = EcKey("mail.example.test", 1).ref();
  for (uint8_t i = 0; i < 20; ++i) {
    const auto digest = Digest32(i);
    EXPECT_EQ(client.Sign(key, CKM_ECDSA, digest).signature, FakeSignature(key, digest, 64));
  }
  const auto digest = Digest32();
  const auto rsa = RsaKey("mail.example.test", 2).ref();
  const wire::PssParameters pss{CKM_SHA256, CKG_MGF1_SHA256, 32};
  EXPECT_EQ(client.Sign(rsa, CKM_RSA_PKCS_PSS, digest, pss).signature,
            FakeSignature(rsa, digest, 256));
  EXPECT_EQ(token_->signs(), 21U);
  EXPECT_EQ(ListenerStatus("https").at("signatures"), 21);
}

TEST_F(Sign, CarriesTheLongestMessageThereIs) {
  Start();
  BrokerClient client = ClientOf("https");
  const auto key = EcKey("mail.example.test", 1).ref();
  const std::vector<uint8_t> data(wire::kMaxSignData, 3);
  EXPECT_EQ(client.Sign(key, CKM_ECDSA_SHA256, data).signature, FakeSignature(key, data, 64));
}

TEST_F(Sign, GivesEachDenialItsReasonAndAsksNoToken) {
  Start();
  const auto ec = EcKey("mail.example.test", 1).ref();
  const auto rsa = RsaKey("mail.example.test", 2).ref();
  const auto digest = Digest32();
  const wire::PssParameters pss{CKM_SHA256, CKG_MGF1_SHA256, 32};
  // A key that is there but not bound, and one that is nowhere, look alike.
  EXPECT_EQ(Denied("https", EcKey("other.example.test", 3).ref(), CKM_ECDSA, digest),
            CKR_KEY_HANDLE_INVALID);
  EXPECT_EQ(Denied("https", EcKey("nowhere", 99).ref(), CKM_ECDSA, digest), CKR_KEY_HANDLE_INVALID);
  EXPECT_EQ(Denied("rsaonly", ec, CKM_ECDSA, digest), CKR_KEY_HANDLE_INVALID);
  EXPECT_EQ(Denied("rsaonly", rsa, CKM_SHA256_RSA_PKCS, digest), CKR_MECHANISM_INVALID);
  EXPECT_EQ(Denied("https", rsa, CKM_RSA_X_509, digest), CKR_MECHANISM_INVALID);
  EXPECT_EQ(Denied("https", ec, CKM_RSA_PKCS_PSS, digest, pss), CKR_KEY_TYPE_INCONSISTENT);
  EXPECT_EQ(Denied("https", rsa, CKM_RSA_PKCS_PSS, digest), CKR_MECHANISM_PARAM_INVALID);
  EXPECT_EQ(Denied("https", ec, CKM_ECDSA, std::vector<uint8_t>(31)), CKR_DATA_INVALID);
  EXPECT_EQ(Denied("https", rsa, CKM_RSA_PKCS, digest), CKR_DATA_INVALID);
  EXPECT_EQ(token_->signs(), 0U);
  EXPECT_EQ(ListenerStatus("https").at("denied"), 7);
  EXPECT_EQ(ListenerStatus("rsaonly").at("denied"), 2);
}

TEST_F(Sign, AnswersARequestWhoseDeadlineHasPassedWithoutAskingTheToken) {
  Start();
  BrokerClient client = ClientOf("https");
  const Outcome outcome = client.Sign(EcKey("mail.example.test", 1).ref(), CKM_ECDSA, Digest32(),
                                      std::nullopt, /*deadline_ms=*/1);
  ASSERT_TRUE(outcome.failure);
  EXPECT_EQ(outcome.failure->code, ErrorCode::kUnavailable);
  EXPECT_EQ(token_->signs(), 0U);
}

TEST_F(Sign, PassesTheTokensOwnFailureOn) {
  token_->SetOnSign([](const wire::Header& header, const wire::SignRequest&) {
    return std::optional(Failing(header, {ErrorCode::kTokenFailed, CKR_FUNCTION_FAILED}));
  });
  Start();
  BrokerClient client = ClientOf("https");
  const Outcome outcome = client.Sign(EcKey("mail.example.test", 1).ref(), CKM_ECDSA, Digest32());
  ASSERT_TRUE(outcome.failure);
  EXPECT_EQ(outcome.failure->code, ErrorCode::kTokenFailed);
  EXPECT_EQ(outcome.failure->rv, CKR_FUNCTION_FAILED);
  EXPECT_EQ(ListenerStatus("https").at("failed"), 1);
}

TEST_F(Sign, GivesOutNoSignatureOfAWrongLength) {
  token_->SetOnSign([](const wire::Header& header, const wire::SignRequest&) {
    return std::optional(Signing(header, std::vector<uint8_t>(63)));
  });
  Start();
  BrokerClient client = ClientOf("https");
  const Outcome outcome = client.Sign(EcKey("mail.example.test", 1).ref(), CKM_ECDSA, Digest32());
  ASSERT_TRUE(outcome.failure);
  EXPECT_EQ(outcome.failure->code, ErrorCode::kTokenFailed);
}

TEST_F(Sign, TakesNoReplyThatIsNotToItsOwnRequest) {
  token_->SetOnSign(
      [this](wire::Header header,
             const wire::SignRequest& request) -> std::optional<std::vector<uint8_t>> {
        if (token_->signs() > 1) return std::nullopt;
        ++header.request_id;
        return Signing(header, FakeSignature(request.key, request.data, 64));
      });
  Start();
  BrokerClient client = ClientOf("https");
  const auto key = EcKey("mail.example.test", 1).ref();
  EXPECT_EQ(client.Sign(key, CKM_ECDSA, Digest32()).signature, FakeSignature(key, Digest32(), 64));
  EXPECT_EQ(token_->signs(), 2U) << "the first connection was given up and the request repeated";
}

TEST_F(Sign, RefusesAMechanismThatIsBoundButThatTheTokenLacks) {
  auto key = EcKey("mail.example.test", 1);
  key.mechanisms = {CKM_ECDSA};
  token_->SetKeys({key});
  Start();
  EXPECT_EQ(Denied("https", key.ref(), CKM_ECDSA_SHA256, Digest32()), CKR_MECHANISM_INVALID);
  EXPECT_EQ(token_->signs(), 0U);
}

TEST_F(Sign, ServesManyConnectionsAtOnce) {
  Start();
  const auto key = EcKey("mail.example.test", 1).ref();
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (uint8_t i = 0; i < 16; ++i) {
    threads.emplace_back([&, i] {
      BrokerClient client = ClientOf("https");
      for (uint8_t j = 0; j < 50; ++j) {
        const auto digest = Digest32(static_cast<uint8_t>(i * 50 + j));
        if (client.Sign(key, CKM_ECDSA, digest).signature == FakeSignature(key, digest, 64)) {
          right.fetch_add(1);
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right.load(), 800);
}

}  // namespace
}  // namespace keybroker
