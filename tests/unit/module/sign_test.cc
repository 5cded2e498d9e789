#include "keybroker/wire/sign.h"
#include "keybroker/cryptoki/mechanism.h"
#include "support/module_fixture.h"

namespace keybroker::module {
namespace {

using test::FakeKey;
using test::Signed;
using Bytes = std::vector<uint8_t>;

class Signing : public test::ModuleTest {
 protected:
  Signing() {
    Start({rsa_, ec_, p521_});
    session_ = Open();
    rsa_key_ = PrivateKey(session_, rsa_);
    ec_key_ = PrivateKey(session_, ec_);
  }

  static FakeKey P521() {
    FakeKey key = test::EcKey("c.example.test", 3);
    key.bits = 521;
    return key;
  }
  CK_RV Init(CK_OBJECT_HANDLE key, CK_MECHANISM_TYPE type) {
    CK_MECHANISM mechanism{type, nullptr, 0};
    return api_->C_SignInit(session_, &mechanism, key);
  }
  CK_RV SignNow(CK_ULONG* size, Bytes& room) {
    return api_->C_Sign(session_, digest_.data(), digest_.size(), room.data(), size);
  }

  const FakeKey rsa_ = test::RsaKey("a.example.test", 1);
  const FakeKey ec_ = test::EcKey("a.example.test", 2);
  const FakeKey p521_ = P521();
  CK_SESSION_HANDLE session_ = CK_INVALID_HANDLE;
  CK_OBJECT_HANDLE rsa_key_ = CK_INVALID_HANDLE;
  CK_OBJECT_HANDLE ec_key_ = CK_INVALID_HANDLE;
  Bytes digest_ = Digest();
};

TEST_F(Signing, SendsOneMessageWithAllOfIt) {
  const size_t before = broker_.messages();
  ASSERT_EQ(Init(ec_key_, CKM_ECDSA), CKR_OK);
  EXPECT_EQ(broker_.messages(), before) << "C_SignInit is answered without a word";
  Bytes room(64);
  CK_ULONG size = room.size();
  ASSERT_EQ(SignNow(&size, room), CKR_OK);
  EXPECT_EQ(broker_.messages(), before + 1);
  EXPECT_EQ(room, RightSignature(ec_, digest_));

  const test::BrokerRequest message = broker_.Last();
  EXPECT_EQ(message.header.version, wire::kVersion);
  const auto request = wire::DecodeSignRequest(message.body);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->key, ec_.ref());
  EXPECT_EQ(request->mechanism, CKM_ECDSA);
  EXPECT_FALSE(request->pss);
  EXPECT_EQ(Bytes(request->data.begin(), request->data.end()), digest_);
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const auto now_ms = static_cast<uint64_t>(now.tv_sec * 1000 + now.tv_nsec / 1'000'000);
  EXPECT_LE(request->deadline_ms, now_ms + 10'000);
  EXPECT_GT(request->deadline_ms, now_ms);
}

TEST_F(Signing, GivesEachKeysSizeOfSignature) {
  EXPECT_EQ(SignDigest(session_, ec_key_).bytes.size(), 64u);
  EXPECT_EQ(SignDigest(session_, PrivateKey(session_, p521_)).bytes.size(), 132u);
  const auto prefix = cryptoki::DigestInfoPrefix(cryptoki::Digest::kSha256);
  Bytes info(prefix.begin(), prefix.end());
  info.insert(info.end(), digest_.begin(), digest_.end());
  EXPECT_EQ(Sign(session_, rsa_key_, {CKM_RSA_PKCS, nullptr, 0}, info).bytes,
            RightSignature(rsa_, info));
}

TEST_F(Signing, SaysTheLengthWithoutASignature) {
  ASSERT_EQ(Init(ec_key_, CKM_ECDSA), CKR_OK);
  CK_ULONG size = 0;
  EXPECT_EQ(api_->C_Sign(session_, digest_.data(), digest_.size(), nullptr, &size), CKR_OK);
  EXPECT_EQ(size, 64u);
  Bytes room(64, 0xee);
  for (const CK_ULONG too_small : {0u, 1u, 63u}) {
    size = too_small;
    EXPECT_EQ(SignNow(&size, room), CKR_BUFFER_TOO_SMALL);
    EXPECT_EQ(size, 64u);
    EXPECT_EQ(room, Bytes(64, 0xee));
  }
  EXPECT_EQ(broker_.signs(), 0u);
  EXPECT_EQ(SignNow(&size, room), CKR_OK) << "the operation went on through all that";
  EXPECT_EQ(room, RightSignature(ec_, digest_));
  EXPECT_EQ(broker_.signs(), 1u);
  EXPECT_EQ(SignNow(&size, room), CKR_OPERATION_NOT_INITIALIZED);
}

TEST_F(Signing, WritesNoMoreThanTheSignature) {
  ASSERT_EQ(Init(ec_key_, CKM_ECDSA), CKR_OK);
  Bytes room(100, 0xee);
  CK_ULONG size = room.size();
  ASSERT_EQ(SignNow(&size, room), CKR_OK);
  EXPECT_EQ(size, 64u);
  EXPECT_EQ(Bytes(room.begin() + 64, room.end()), Bytes(36, 0xee));
}

TEST_F(Signing, HasOneOperationInASession) {
  ASSERT_EQ(Init(ec_key_, CKM_ECDSA), CKR_OK);
  EXPECT_EQ(Init(ec_key_, CKM_ECDSA), CKR_OPERATION_ACTIVE);
  const CK_SESSION_HANDLE other = Open();
  EXPECT_EQ(SignDigest(other, ec_key_).rv, CKR_OK) << "another session's is another";
  Bytes room(64);
  CK_ULONG size = room.size();
  EXPECT_EQ(SignNow(&size, room), CKR_OK) << "the refused C_SignInit changed nothing";
}

TEST_F(Signing, IsEndedByEveryError) {
  Bytes room(64);
  CK_ULONG size = room.size();
  const auto expect_ended = [&] {
    EXPECT_EQ(SignNow(&size, room), CKR_OPERATION_NOT_INITIALIZED);
    EXPECT_EQ(broker_.signs(), 0u);
  };
  ASSERT_EQ(Init(ec_key_, CKM_ECDSA), CKR_OK);
  EXPECT_EQ(api_->C_Sign(session_, nullptr, 32, room.data(), &size), CKR_ARGUMENTS_BAD);
  expect_ended();
  ASSERT_EQ(Init(ec_key_, CKM_ECDSA), CKR_OK);
  EXPECT_EQ(api_->C_Sign(session_, digest_.data(), 32, room.data(), nullptr), CKR_ARGUMENTS_BAD);
  expect_ended();
  for (const CK_ULONG length : {CK_ULONG{0}, CK_ULONG{65}, ~CK_ULONG{0}}) {
    ASSERT_EQ(Init(ec_key_, CKM_ECDSA), CKR_OK);
    EXPECT_EQ(api_->C_Sign(session_, digest_.data(), length, room.data(), &size),
              CKR_DATA_LEN_RANGE);
    expect_ended();
  }
  ASSERT_EQ(Init(ec_key_, CKM_ECDSA), CKR_OK);
  EXPECT_EQ(api_->C_SignUpdate(session_, digest_.data(), 32), CKR_FUNCTION_NOT_SUPPORTED)
      << "CKM_ECDSA is single-part";
  expect_ended();
}

TEST_F(Signing, IsEndedByTheBrokersRefusal) {
  broker_.SetScript([](const test::BrokerRequest& request) {
    if (request.header.type != wire::MessageType::kSignRequest) return test::Deed{};
    return test::Deed{test::Deed::Kind::kSend, test::FailureAnswer(request, ErrorCode::kDenied, 0)};
  });
  EXPECT_EQ(SignDigest(session_, ec_key_).rv, CKR_FUNCTION_REJECTED);
  EXPECT_EQ(broker_.signs(), 1u) << "a refusal is not asked for twice";
  Bytes room(64);
  CK_ULONG size = room.size();
  EXPECT_EQ(SignNow(&size, room), CKR_OPERATION_NOT_INITIALIZED);
  broker_.SetScript(nullptr);
  EXPECT_EQ(SignDigest(session_, ec_key_).rv, CKR_OK);
  EXPECT_EQ(broker_.connections(), 1u) << "and does not end the connection";
}

TEST_F(Signing, TakesPrivateKeysOnly) {
  EXPECT_EQ(Init(ec_key_ ^ 3, CKM_ECDSA), CKR_KEY_FUNCTION_NOT_PERMITTED) << "the public key";
  EXPECT_EQ(Init(ec_key_ | 3, CKM_ECDSA), CKR_KEY_HANDLE_INVALID) << "no certificate";
  EXPECT_EQ(Init(CK_INVALID_HANDLE, CKM_ECDSA), CKR_KEY_HANDLE_INVALID);
  EXPECT_EQ(Init(ec_key_ ^ CK_ULONG{1} << 63, CKM_ECDSA), CKR_KEY_HANDLE_INVALID);
}

TEST_F(Signing, EndsWithItsSession) {
  ASSERT_EQ(Init(ec_key_, CKM_ECDSA), CKR_OK);
  ASSERT_EQ(api_->C_CloseSession(session_), CKR_OK);
  session_ = Open();
  Bytes room(64);
  CK_ULONG size = room.size();
  EXPECT_EQ(SignNow(&size, room), CKR_OPERATION_NOT_INITIALIZED) << "in the same place";
}

TEST_F(Signing, RefusesASignatureOfAnotherLength) {
  broker_.SetScript([](const test::BrokerRequest& request) {
    if (request.header.type != wire::MessageType::kSignRequest) return test::Deed{};
    Bytes message(2048);
    const Bytes signature(63, 1);
    wire::FrameWriter frame(message, {wire::MessageType::kSignReply, request.header.version,
                                      request.header.request_id});
    wire::Encode(wire::SignReply{signature}, frame.body());
    message.resize(frame.Finish());
    return test::Deed{test::Deed::Kind::kSend, message};
  });
  EXPECT_EQ(SignDigest(session_, ec_key_).rv, CKR_FUNCTION_FAILED);
  EXPECT_EQ(broker_.signs(), 1u);
}

}  // namespace
}  // namespace keybroker::module
