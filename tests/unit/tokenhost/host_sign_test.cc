// What the running keybroker-tokenhost does for its broker.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <memory>
#include <thread>

#include "keybroker/wire/hello.h"
#include "unit/tokenhost/test_host.h"

namespace keybroker::tokenhost {
namespace {

using cryptoki::KeyType;
using ::testing::ElementsAre;
using wire::MessageType;
using wire::TokenState;

std::vector<uint8_t> SignatureOf(const Message& message) {
  EXPECT_EQ(message.header.type, MessageType::kSignReply);
  const auto reply = wire::DecodeSignReply(message.body);
  if (!reply) return {};
  return {reply->signature.begin(), reply->signature.end()};
}

struct Free {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_PKEY_CTX* state) const { EVP_PKEY_CTX_free(state); }
  void operator()(OSSL_PARAM_BLD* build) const { OSSL_PARAM_BLD_free(build); }
  void operator()(OSSL_PARAM* params) const { OSSL_PARAM_free(params); }
  void operator()(BIGNUM* number) const { BN_free(number); }
  void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

Owned<EVP_PKEY> FromParams(const char* type, OSSL_PARAM_BLD* build) {
  const Owned<OSSL_PARAM> params(OSSL_PARAM_BLD_to_param(build));
  const Owned<EVP_PKEY_CTX> state(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  EXPECT_EQ(EVP_PKEY_fromdata_init(state.get()), 1);
  EXPECT_EQ(EVP_PKEY_fromdata(state.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()), 1);
  return Owned<EVP_PKEY>(key);
}

Owned<EVP_PKEY> EcPublicKey(const Peer::Key& key) {
  const Owned<OSSL_PARAM_BLD> build(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(build.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0);
  // CKA_EC_POINT is the point in a DER OCTET STRING: 04 41 and 65 bytes.
  OSSL_PARAM_BLD_push_octet_string(build.get(), OSSL_PKEY_PARAM_PUB_KEY,
                                   key.public_second.data() + 2, key.public_second.size() - 2);
  return FromParams("EC", build.get());
}

Owned<EVP_PKEY> RsaPublicKey(const Peer::Key& key) {
  const Owned<BIGNUM> n(
      BN_bin2bn(key.public_first.data(), static_cast<int>(key.public_first.size()), nullptr));
  const Owned<BIGNUM> e(
      BN_bin2bn(key.public_second.data(), static_cast<int>(key.public_second.size()), nullptr));
  const Owned<OSSL_PARAM_BLD> build(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
  OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
  return FromParams("RSA", build.get());
}

bool EcdsaVerifies(const Peer::Key& key, wire::Bytes digest, const std::vector<uint8_t>& raw) {
  if (raw.size() != 64) return false;
  const Owned<ECDSA_SIG> signature(ECDSA_SIG_new());
  ECDSA_SIG_set0(signature.get(), BN_bin2bn(raw.data(), 32, nullptr),
                 BN_bin2bn(raw.data() + 32, 32, nullptr));
  uint8_t* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  const auto pkey = EcPublicKey(key);
  const Owned<EVP_PKEY_CTX> state(EVP_PKEY_CTX_new(pkey.get(), nullptr));
  const bool good = EVP_PKEY_verify_init(state.get()) == 1 &&
                    EVP_PKEY_verify(state.get(), der, static_cast<size_t>(size), digest.data(),
                                    digest.size()) == 1;
  OPENSSL_free(der);
  return good;
}

bool PssVerifies(const Peer::Key& key, wire::Bytes digest, const std::vector<uint8_t>& signature) {
  const auto pkey = RsaPublicKey(key);
  const Owned<EVP_PKEY_CTX> state(EVP_PKEY_CTX_new(pkey.get(), nullptr));
  return EVP_PKEY_verify_init(state.get()) == 1 &&
         EVP_PKEY_CTX_set_rsa_padding(state.get(), RSA_PKCS1_PSS_PADDING) == 1 &&
         EVP_PKEY_CTX_set_signature_md(state.get(), EVP_sha256()) == 1 &&
         EVP_PKEY_CTX_set_rsa_pss_saltlen(state.get(), 32) == 1 &&
         EVP_PKEY_verify(state.get(), signature.data(), signature.size(), digest.data(),
                         digest.size()) == 1;
}

// Served is a running host with a broker's connection that has read the keys.
struct Served {
  explicit Served(const TestHostOptions& options = {}) : host(options) {
    host.Start();
    broker.emplace(host, host.broker_uid());
    EXPECT_TRUE(broker->Hello());
    keys = broker->Keys();
  }
  Message SignEc() { return broker->Sign(EcdsaRequest(KeyOfType(keys, KeyType::kEc).ref)); }
  bool SignsEc() {
    const auto& key = KeyOfType(keys, KeyType::kEc);
    const auto request = EcdsaRequest(key.ref);
    return EcdsaVerifies(key, request.data, SignatureOf(broker->Sign(request)));
  }

  TestHost host;
  std::optional<Peer> broker;
  std::vector<Peer::Key> keys;
};

TEST(Tokenhost, ShowsTheTokensKeys) {
  Served served;
  ASSERT_EQ(served.keys.size(), 2U);
  EXPECT_EQ(served.keys[0].label, kKeyName);
  EXPECT_EQ(served.keys[1].label, kKeyName);
  EXPECT_THAT(KeyOfType(served.keys, KeyType::kEc).mechanisms,
              ElementsAre(CKM_ECDSA, CKM_ECDSA_SHA256, CKM_ECDSA_SHA384, CKM_ECDSA_SHA512));
  EXPECT_THAT(KeyOfType(served.keys, KeyType::kRsa).mechanisms,
              ElementsAre(CKM_RSA_PKCS, CKM_SHA256_RSA_PKCS, CKM_SHA384_RSA_PKCS,
                          CKM_SHA512_RSA_PKCS, CKM_RSA_PKCS_PSS, CKM_SHA256_RSA_PKCS_PSS,
                          CKM_SHA384_RSA_PKCS_PSS, CKM_SHA512_RSA_PKCS_PSS));
  EXPECT_EQ(served.host.Stop(), 0);
}

TEST(Tokenhost, MakesSignaturesThatVerify) {
  Served served;
  EXPECT_TRUE(served.SignsEc());
  const auto& rsa = KeyOfType(served.keys, KeyType::kRsa);
  wire::SignRequest request = EcdsaRequest(rsa.ref);
  request.mechanism = CKM_RSA_PKCS_PSS;
  request.pss = wire::PssParameters{CKM_SHA256, CKG_MGF1_SHA256, 32};
  EXPECT_TRUE(PssVerifies(rsa, request.data, SignatureOf(served.broker->Sign(request))));
  EXPECT_EQ(served.host.Stop(), 0);
}

TEST(Tokenhost, RefusesWhatIsOutsideTheClosedSet) {
  Served served;
  const auto& rsa = KeyOfType(served.keys, KeyType::kRsa);
  wire::SignRequest raw = EcdsaRequest(rsa.ref);
  raw.mechanism = CKM_RSA_X_509;
  auto failure = FailureOf(served.broker->Sign(raw));
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->code, ErrorCode::kMalformed);
  EXPECT_EQ(failure->rv, CKR_MECHANISM_INVALID);
  wire::SignRequest unknown = EcdsaRequest({});
  failure = FailureOf(served.broker->Sign(unknown));
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->code, ErrorCode::kNotFound);
  EXPECT_EQ(served.host.Calls("C_Sign"), 0);
  EXPECT_TRUE(served.SignsEc()) << "a refusal does not end the connection";
  EXPECT_EQ(served.host.Stop(), 0);
}

TEST(Tokenhost, DoesNotAskTheTokenAfterTheDeadline) {
  Served served;
  wire::SignRequest late = EcdsaRequest(KeyOfType(served.keys, KeyType::kEc).ref);
  late.deadline_ms = 1;
  const auto failure = FailureOf(served.broker->Sign(late));
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->code, ErrorCode::kUnavailable);
  EXPECT_EQ(failure->rv, wire::kDeadlinePassed);
  EXPECT_EQ(served.host.Calls("C_Sign"), 0);
  EXPECT_EQ(served.host.Stop(), 0);
}

TEST(Tokenhost, ServesMoreConnectionsThanItHasSessions) {
  Served served;
  constexpr int kConnections = 8;
  constexpr int kSignatures = 20;
  std::array<int, kConnections> good{};
  std::vector<std::thread> threads;
  for (int& count : good) {
    threads.emplace_back([&] {
      Peer peer(served.host, served.host.broker_uid());
      if (!peer.Hello()) return;
      for (int i = 0; i < kSignatures; ++i) {
        const auto reply = peer.Sign(EcdsaRequest(KeyOfType(served.keys, KeyType::kEc).ref));
        count += reply.header.type == MessageType::kSignReply ? 1 : 0;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(good, ::testing::Each(kSignatures));
  EXPECT_EQ(served.host.Stop(), 0);
}

TEST(Tokenhost, OpensASessionAnewWhenTheTokenLostIt) {
  Served served;
  served.host.Plan("C_SignInit 0 1 " + std::to_string(CKR_SESSION_HANDLE_INVALID) + "\n" +
                   "C_Sign 0 1 " + std::to_string(CKR_SESSION_CLOSED) + "\n");
  EXPECT_TRUE(served.SignsEc());
  EXPECT_EQ(served.host.Calls("C_Login"), 1) << "the login was not lost";
  EXPECT_EQ(served.host.Stop(), 0);
}

TEST(Tokenhost, LogsInAgainWhenTheTokenForgotIt) {
  Served served;
  served.host.Plan("C_SignInit 0 1 " + std::to_string(CKR_USER_NOT_LOGGED_IN) + "\n");
  EXPECT_TRUE(served.SignsEc());
  EXPECT_EQ(served.host.Calls("C_Login"), 2);
  EXPECT_EQ(served.host.Stop(), 0);
}

TEST(Tokenhost, FindsTheKeysAgainWhenAHandleIsNoLongerGood) {
  Served served;
  const long before = served.host.Calls("C_FindObjectsInit");
  served.host.Plan("C_SignInit 0 1 " + std::to_string(CKR_KEY_HANDLE_INVALID) + "\n");
  EXPECT_TRUE(served.SignsEc());
  EXPECT_GT(served.host.Calls("C_FindObjectsInit"), before);
  EXPECT_EQ(served.host.Stop(), 0);
}

TEST(Tokenhost, GivesUpOnATokenThatAlwaysFailsAndSaysWhatItSaid) {
  Served served;
  served.host.Plan("C_SignInit 0 1000 " + std::to_string(CKR_DEVICE_ERROR) + "\n");
  const auto failure = FailureOf(served.SignEc());
  ASSERT_TRUE(failure);
  EXPECT_EQ(failure->code, ErrorCode::kTokenFailed);
  EXPECT_EQ(failure->rv, CKR_DEVICE_ERROR);
  EXPECT_EQ(served.host.Calls("C_SignInit"), 1);
  EXPECT_EQ(served.host.Stop(), 0);
}

TEST(Tokenhost, MakesDoWithTheSessionsTheTokenAdmits) {
  TestHostOptions options;
  options.sessions = 4;
  Served served(options);
  ASSERT_TRUE(served.SignsEc());  // one session is open now
  served.host.Plan("C_OpenSession 0 1000 " + std::to_string(CKR_SESSION_COUNT) + "\n");
  std::vector<std::thread> threads;
  std::array<bool, 4> good{};
  for (bool& one : good) {
    threads.emplace_back([&] {
      Peer peer(served.host, served.host.broker_uid());
      one = peer.Hello() &&
            peer.Sign(EcdsaRequest(KeyOfType(served.keys, KeyType::kEc).ref)).header.type ==
                MessageType::kSignReply;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(good, ::testing::Each(true));
  EXPECT_EQ(served.host.Stop(), 0);
}

TEST(Tokenhost, EndsItselfWhenACallOutlivesTheHangLimit) {
  TestHostOptions options;
  options.hang_limit_ms = 300;
  Served served(options);
  served.host.Plan("C_Sign 0 1 hang\n");
  served.broker->Send({MessageType::kSignRequest, wire::kVersion, 9},
                      EcdsaRequest(KeyOfType(served.keys, KeyType::kEc).ref));
  EXPECT_FALSE(served.broker->Receive());
  EXPECT_EQ(served.host.process().Wait(), 75);
  EXPECT_THAT(served.host.process().output(),
              ::testing::HasSubstr("the vendor module of token \"main\" hangs in C_Sign (limit 300 "
                                   "ms a call, hang_limit_ms in its profile)"));
}

TEST(Tokenhost, AnswersTheStatusWhileACallHangs) {
  TestHostOptions options;
  options.hang_limit_ms = 60'000;
  Served served(options);
  served.host.Plan("C_FindObjectsInit 0 1 hang\n");
  served.broker->Send({MessageType::kCatalogueRequest, wire::kVersion, 9},
                      wire::CatalogueRequest{0, 0});
  EXPECT_EQ(served.host.AwaitState(TokenState::kReady).keys, 2U);
  served.host.process().Signal(SIGKILL);
}

TEST(Tokenhost, HasTheSameGenerationAfterARestart) {
  Served served;
  const uint64_t generation = served.host.AwaitState(TokenState::kReady).generation;
  served.host.process().Signal(SIGKILL);
  EXPECT_EQ(served.host.process().Wait(), 137);
  served.host.Start();
  EXPECT_EQ(served.host.AwaitState(TokenState::kReady).generation, generation);
  EXPECT_EQ(served.host.Stop(), 0);
}

TEST(Tokenhost, SignsOnAWriteProtectedToken) {
  TestHost host;
  host.token().environment["KB_FAULTY_WRITE_PROTECTED"] = "1";
  host.WriteToken();
  host.Start();
  Peer broker(host, host.broker_uid());
  ASSERT_TRUE(broker.Hello());
  const auto request = EcdsaRequest(KeyOfType(broker.Keys(), KeyType::kEc).ref);
  EXPECT_EQ(broker.Sign(request).header.type, MessageType::kSignReply);
  EXPECT_EQ(host.Stop(), 0);
}

TEST(Tokenhost, AsksForThePinForEachSignatureWhereTheKeyWantsIt) {
  TestHostOptions options;
  options.always_authenticate = true;
  Served served(options);
  EXPECT_TRUE(served.SignsEc());
  EXPECT_TRUE(served.SignsEc());
  EXPECT_EQ(served.host.Calls("C_Login:context"), 2);
  EXPECT_EQ(served.host.Stop(), 0);
}

TEST(Tokenhost, StopsTryingAPinThatIsRefusedForASignature) {
  TestHostOptions options;
  options.always_authenticate = true;
  Served served(options);
  served.host.Plan("C_Login:context 0 1 " + std::to_string(CKR_PIN_INCORRECT) + "\n");
  EXPECT_TRUE(FailureOf(served.SignEc()));
  EXPECT_TRUE(FailureOf(served.SignEc()));
  EXPECT_EQ(served.host.Calls("C_Login:context"), 1);
  EXPECT_EQ(served.host.AwaitState(TokenState::kLocked).state, TokenState::kLocked);
  EXPECT_EQ(served.host.Stop(), 0);
}

}  // namespace
}  // namespace keybroker::tokenhost
