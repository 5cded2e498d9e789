#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "keybroker/wire/admin.h"
#include "keybroker/wire/catalogue.h"
#include "keybroker/wire/frame.h"
#include "keybroker/wire/hello.h"
#include "keybroker/wire/sign.h"
#include "keybroker/wire/token_admin.h"

namespace keybroker::wire {
namespace {

using ::testing::ElementsAreArray;

template <typename Message>
std::vector<uint8_t> Encoded(const Message& message) {
  std::vector<uint8_t> buffer(kMaxMessage);
  Writer body(buffer);
  Encode(message, body);
  EXPECT_TRUE(body.ok());
  buffer.resize(body.size());
  return buffer;
}

KeyRef Key(uint8_t first) {
  KeyRef key{};
  key[0] = first;
  key[31] = 0xff;
  return key;
}

CatalogueEntry Entry(std::string_view label) {
  CatalogueEntry entry{};
  entry.key = Key(1);
  entry.type = cryptoki::KeyType::kEc;
  entry.bits = 256;
  entry.id = AsBytes("id");
  entry.label = label;
  entry.public_first = AsBytes("params");
  entry.public_second = AsBytes("point");
  entry.mechanism_count = 2;
  entry.mechanisms[0] = 0x1041;
  entry.mechanisms[1] = 0xffffffff;
  entry.certificate = AsBytes("certificate");
  return entry;
}

TEST(RoundTrip, OfHelloAndItsReply) {
  const auto hello = DecodeHello(Encoded(Hello{1, 2}));
  ASSERT_TRUE(hello.has_value());
  EXPECT_EQ(hello->min_version, 1);
  EXPECT_EQ(hello->max_version, 2);
  const auto bytes = Encoded(HelloReply{2, true, 0x0102030405060708, "https"});
  const auto reply = DecodeHelloReply(bytes);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->version, 2);
  EXPECT_TRUE(reply->token_present);
  EXPECT_EQ(reply->generation, 0x0102030405060708U);
  EXPECT_EQ(reply->listener, "https");
}

TEST(RoundTrip, OfSignRequestWithAndWithoutParameters) {
  SignRequest request{Key(7), 0xd, 123456789, PssParameters{0x250, 2, 32}, AsBytes("digest")};
  for (const bool pss : {true, false}) {
    if (!pss) request.pss.reset();
    const auto bytes = Encoded(request);
    const auto read = DecodeSignRequest(bytes);
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(read->key, request.key);
    EXPECT_EQ(read->mechanism, 0xdU);
    EXPECT_EQ(read->deadline_ms, 123456789U);
    ASSERT_EQ(read->pss.has_value(), pss);
    if (pss) {
      EXPECT_EQ(read->pss->hash, 0x250U);
      EXPECT_EQ(read->pss->mgf, 2U);
      EXPECT_EQ(read->pss->salt_length, 32U);
    }
    EXPECT_EQ(AsText(read->data), "digest");
  }
}

TEST(RoundTrip, OfSignReplyAndFailure) {
  const auto bytes = Encoded(SignReply{AsBytes("signature")});
  EXPECT_EQ(AsText(DecodeSignReply(bytes)->signature), "signature");
  for (unsigned code = 1; code <= 7; ++code) {
    const auto failure = DecodeFailure(Encoded(Failure{static_cast<ErrorCode>(code), 0x80000001U}));
    ASSERT_TRUE(failure.has_value());
    EXPECT_EQ(static_cast<unsigned>(failure->code), code);
    EXPECT_EQ(failure->rv, 0x80000001U);
  }
}

TEST(RoundTrip, OfAdminMessages) {
  const auto bytes = Encoded(AdminRequest{AdminVerb::kWhy, 3, {"https", "a.test", "CKM_ECDSA"}});
  const auto request = DecodeAdminRequest(bytes);
  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->verb, AdminVerb::kWhy);
  EXPECT_EQ(request->argument_count, 3);
  EXPECT_THAT(request->arguments, ElementsAreArray(std::array<std::string_view, 4>{
                                      "https", "a.test", "CKM_ECDSA", ""}));
  const std::string text(kMaxText, 'x');
  const auto reply_bytes = Encoded(AdminReply{true, true, text});
  const auto reply = DecodeAdminReply(reply_bytes);
  ASSERT_TRUE(reply.has_value());
  EXPECT_TRUE(reply->done);
  EXPECT_TRUE(reply->more);
  EXPECT_EQ(reply->text, text);
}

TEST(RoundTrip, OfTokenMessages) {
  const auto bytes =
      Encoded(TokenStatus{TokenState::kLocked, 4711, 99, 3, "label", "serial", "model", "why"});
  const auto status = DecodeTokenStatus(bytes);
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->state, TokenState::kLocked);
  EXPECT_EQ(status->pid, 4711U);
  EXPECT_EQ(status->generation, 99U);
  EXPECT_EQ(status->keys, 3U);
  EXPECT_EQ(status->label, "label");
  EXPECT_EQ(status->serial, "serial");
  EXPECT_EQ(status->model, "model");
  EXPECT_EQ(status->detail, "why");
  const auto pin = Encoded(UnlockRequest{AsBytes("1234")});
  EXPECT_EQ(AsText(DecodeUnlockRequest(pin)->pin), "1234");
  EXPECT_TRUE(DecodeUnlockRequest(Encoded(UnlockRequest{{}}))->pin.empty());
}

TEST(RoundTrip, CutsADetailThatIsTooLong) {
  const std::string detail(kMaxDetail + 1, 'x');
  const auto bytes = Encoded(TokenStatus{TokenState::kFailed, 1, 0, 0, "", "", "", detail});
  const auto status = DecodeTokenStatus(bytes);
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->detail.size(), kMaxDetail);
}

std::vector<uint8_t> Page(const CataloguePage& page, const std::vector<CatalogueEntry>& entries) {
  std::vector<uint8_t> buffer(kMaxMessage);
  Writer body(buffer);
  Encode(page, body);
  EXPECT_EQ(body.size(), kCataloguePageHead);
  for (const CatalogueEntry& entry : entries) Encode(entry, body);
  EXPECT_TRUE(body.ok());
  buffer.resize(body.size());
  return buffer;
}

std::vector<std::string> Labels(Bytes bytes, bool* ok) {
  std::vector<std::string> labels;
  auto reader = CatalogueReader::Open(bytes);
  *ok = reader.has_value();
  while (reader) {
    const auto entry = reader->Next();
    if (!entry) break;
    labels.emplace_back(entry->label);
  }
  *ok = *ok && reader->ok();
  return labels;
}

TEST(RoundTrip, OfACataloguePage) {
  const auto bytes = Page({5, 9, 2, 2, true}, {Entry("a.test"), Entry("")});
  auto reader = CatalogueReader::Open(bytes);
  ASSERT_TRUE(reader.has_value());
  EXPECT_EQ(reader->page().generation, 5U);
  EXPECT_EQ(reader->page().total, 9U);
  EXPECT_EQ(reader->page().first, 2U);
  EXPECT_EQ(reader->page().count, 2);
  EXPECT_TRUE(reader->page().token_present);
  const auto entry = reader->Next();
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(entry->key, Key(1));
  EXPECT_EQ(entry->type, cryptoki::KeyType::kEc);
  EXPECT_EQ(entry->bits, 256U);
  EXPECT_EQ(AsText(entry->id), "id");
  EXPECT_EQ(entry->label, "a.test");
  EXPECT_EQ(AsText(entry->public_first), "params");
  EXPECT_EQ(AsText(entry->public_second), "point");
  EXPECT_EQ(entry->mechanism_count, 2);
  EXPECT_EQ(entry->mechanisms[0], 0x1041U);
  EXPECT_EQ(entry->mechanisms[1], 0xffffffffU);
  EXPECT_EQ(AsText(entry->certificate), "certificate");
  ASSERT_TRUE(reader->Next().has_value());
  EXPECT_FALSE(reader->Next().has_value());
  EXPECT_TRUE(reader->ok());
  EXPECT_FALSE(reader->Next().has_value());
  EXPECT_TRUE(reader->ok());
}

TEST(CataloguePageDecoder, RefusesACountThatDoesNotMatch) {
  bool ok = false;
  Labels(Page({5, 9, 2, 3, true}, {Entry("a"), Entry("b")}), &ok);
  EXPECT_FALSE(ok) << "fewer entries than promised";
  Labels(Page({5, 9, 2, 1, true}, {Entry("a"), Entry("b")}), &ok);
  EXPECT_FALSE(ok) << "more entries than promised";
}

TEST(CataloguePageDecoder, RefusesAPlaceOutsideTheCatalogue) {
  const auto opens = [](const CataloguePage& page, size_t entries) {
    const auto bytes = Page(page, std::vector<CatalogueEntry>(entries, Entry("a")));
    return CatalogueReader::Open(bytes).has_value();
  };
  EXPECT_TRUE(opens({5, 0, 0, 0, false}, 0));
  EXPECT_TRUE(opens({5, 3, 3, 0, true}, 0));
  EXPECT_FALSE(opens({0, 1, 0, 1, true}, 1)) << "generation 0";
  EXPECT_FALSE(opens({5, 3, 4, 0, true}, 0)) << "first behind the end";
  EXPECT_FALSE(opens({5, 3, 2, 2, true}, 2)) << "more than are left";
  EXPECT_FALSE(opens({5, 0xffffffff, 0xfffffffe, 2, true}, 2)) << "sum beyond 32 bits";
  EXPECT_FALSE(opens({5, 3, 0, 0, true}, 0)) << "an empty page that would be asked for for ever";
}

TEST(CataloguePageDecoder, IsRefusedWhenCutOrLengthened) {
  auto bytes = Page({5, 2, 0, 2, true}, {Entry("a.test"), Entry("b.test")});
  bool ok = false;
  for (size_t size = 0; size < bytes.size(); ++size) {
    Labels(Bytes(bytes).first(size), &ok);
    EXPECT_FALSE(ok) << size;
  }
  Labels(bytes, &ok);
  EXPECT_TRUE(ok);
  bytes.push_back(0);
  Labels(bytes, &ok);
  EXPECT_FALSE(ok);
}

TEST(Decoders, SurviveRandomBytes) {
  std::mt19937 random(20261123);
  const std::vector<uint8_t> good = Page({5, 2, 0, 2, true}, {Entry("a.test"), Entry("b.test")});
  for (int i = 0; i < 20000; ++i) {
    std::vector<uint8_t> bytes(random() % 200);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    // Half of them are a good page with a few bytes changed, to get past the first field.
    if (i % 2 == 0) {
      bytes = good;
      for (int j = 0; j < 3; ++j) bytes[random() % bytes.size()] = static_cast<uint8_t>(random());
    }
    bool ok = false;
    Labels(bytes, &ok);
    const auto request = DecodeSignRequest(bytes);
    if (request) {
      EXPECT_LE(request->data.size(), bytes.size());
    }
    (void)DecodeHello(bytes);
    (void)DecodeHelloReply(bytes);
    (void)DecodeCatalogueRequest(bytes);
    (void)DecodeSignReply(bytes);
    (void)DecodeFailure(bytes);
    (void)DecodeAdminRequest(bytes);
    (void)DecodeAdminReply(bytes);
    (void)DecodeTokenStatus(bytes);
    (void)DecodeUnlockRequest(bytes);
  }
}

}  // namespace
}  // namespace keybroker::wire
