#include "keybroker/wire/frame.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "keybroker/wire/hello.h"

namespace keybroker::wire {
namespace {

std::vector<uint8_t> Framed(const Header& header, Bytes body) {
  std::vector<uint8_t> buffer(kMaxMessage);
  FrameWriter frame(buffer, header);
  frame.body().Raw(body);
  buffer.resize(frame.Finish());
  return buffer;
}

TEST(Frame, IsReadAsItWasWritten) {
  const std::vector<uint8_t> body = {1, 2, 3};
  const auto message = Framed({MessageType::kSignReply, 7, 0xdeadbeef}, body);
  const auto frame = DecodeFrame(message);
  ASSERT_TRUE(frame.has_value());
  EXPECT_EQ(frame->header.type, MessageType::kSignReply);
  EXPECT_EQ(frame->header.version, 7);
  EXPECT_EQ(frame->header.request_id, 0xdeadbeefU);
  EXPECT_EQ(std::vector<uint8_t>(frame->body.begin(), frame->body.end()), body);
}

TEST(Frame, IsRefusedWhenCutOrLengthened) {
  auto message = Framed({MessageType::kSignReply, 1, 2}, std::vector<uint8_t>(20));
  for (size_t size = 0; size < message.size(); ++size) {
    EXPECT_FALSE(DecodeFrame(Bytes(message).first(size)).has_value()) << size;
  }
  message.push_back(0);
  EXPECT_FALSE(DecodeFrame(message).has_value());
}

TEST(Frame, IsRefusedWhenItsLengthLies) {
  auto message = Framed({MessageType::kSignReply, 1, 2}, std::vector<uint8_t>(20));
  for (const uint8_t length : std::initializer_list<uint8_t>{0, 19, 21, 255}) {
    message[11] = length;
    EXPECT_FALSE(DecodeFrame(message).has_value());
  }
  message[11] = 20;
  message[8] = 0x80;
  EXPECT_FALSE(DecodeFrame(message).has_value());
}

TEST(Frame, HasAtMostTheLargestMessagesSize) {
  const auto largest =
      Framed({MessageType::kAdminReply}, std::vector<uint8_t>(kMaxMessage - kHeaderSize));
  EXPECT_EQ(largest.size(), kMaxMessage);
  EXPECT_TRUE(DecodeFrame(largest).has_value());
  EXPECT_TRUE(
      Framed({MessageType::kAdminReply}, std::vector<uint8_t>(kMaxMessage - kHeaderSize + 1))
          .empty());
  std::vector<uint8_t> larger = largest;
  larger.push_back(0);
  const uint32_t length = kMaxMessage - kHeaderSize + 1;
  for (size_t i = 0; i < 4; ++i) larger[8 + i] = static_cast<uint8_t>(length >> (8 * (3 - i)));
  EXPECT_FALSE(DecodeFrame(larger).has_value());
}

TEST(Frame, DoesNotFitIntoABufferWithoutRoom) {
  for (size_t room = 0; room < kHeaderSize + 1; ++room) {
    std::vector<uint8_t> buffer(room);
    FrameWriter frame(buffer, {MessageType::kHello});
    frame.body().U8(1);
    EXPECT_EQ(frame.Finish(), 0U) << room;
  }
}

TEST(Frame, SurvivesRandomBytes) {
  std::mt19937 random(20261123);
  for (int i = 0; i < 20000; ++i) {
    std::vector<uint8_t> message(random() % 64);
    for (uint8_t& byte : message) byte = static_cast<uint8_t>(random());
    const auto frame = DecodeFrame(message);
    if (frame) {
      EXPECT_EQ(frame->body.size() + kHeaderSize, message.size());
    }
  }
}

TEST(Hello, AgreesOnTheHighestVersionThatBothSpeak) {
  struct Case {
    Hello asker;
    uint16_t min;
    uint16_t max;
    std::optional<uint16_t> agreed;
  };
  const Case cases[] = {
      {{1, 1}, 1, 1, uint16_t{1}},
      {{1, 3}, 1, 1, uint16_t{1}},  // a newer module meets an older broker
      {{1, 1}, 1, 3, uint16_t{1}},  // and the reverse
      {{2, 4}, 3, 9, uint16_t{4}},
      {{2, 9}, 3, 4, uint16_t{4}},
      {{3, 4}, 1, 2, std::nullopt},
      {{1, 2}, 3, 4, std::nullopt},
      {{1, 65535}, 1, 65535, uint16_t{65535}},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(NegotiateVersion(c.asker, c.min, c.max), c.agreed)
        << c.asker.min_version << "-" << c.asker.max_version << " meets " << c.min << "-" << c.max;
  }
}

TEST(Hello, IsRefusedWithVersionsThatMakeNoSense) {
  const auto decode = [](uint16_t min, uint16_t max) {
    std::vector<uint8_t> buffer(4);
    Writer body(buffer);
    Encode(Hello{min, max}, body);
    return DecodeHello(buffer).has_value();
  };
  EXPECT_TRUE(decode(1, 1));
  EXPECT_FALSE(decode(0, 1));
  EXPECT_FALSE(decode(0, 0));
  EXPECT_FALSE(decode(2, 1));
}

}  // namespace
}  // namespace keybroker::wire
