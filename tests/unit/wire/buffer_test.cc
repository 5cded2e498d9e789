#include "keybroker/wire/buffer.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace keybroker::wire {
namespace {

TEST(Writer, WritesIntegersInNetworkByteOrder) {
  std::array<uint8_t, 15> buffer{};
  Writer writer(buffer);
  writer.U8(0x01);
  writer.U16(0x0203);
  writer.U32(0x04050607);
  writer.U64(0x08090a0b0c0d0e0f);
  ASSERT_TRUE(writer.ok());
  EXPECT_EQ(writer.size(), buffer.size());
  for (size_t i = 0; i < buffer.size(); ++i) EXPECT_EQ(buffer[i], i + 1);
}

TEST(Writer, LeavesOutAFieldThatDoesNotFitAndStaysFailed) {
  std::array<uint8_t, 8> buffer{};
  const std::vector<uint8_t> six(6, 0xee);
  for (size_t room = 0; room <= buffer.size(); ++room) {
    Writer writer(std::span<uint8_t>(buffer).first(room));
    writer.Var16(six);
    EXPECT_EQ(writer.ok(), room == 8);
    EXPECT_EQ(writer.size(), room == 8 ? 8U : 0U) << "length and bytes go together";
    if (room == 8) continue;
    writer.U8(1);
    writer.Raw({});
    EXPECT_FALSE(writer.ok());
    EXPECT_EQ(writer.size(), 0U);
  }
}

TEST(Writer, RefusesALengthThatItsFieldCannotHold) {
  std::vector<uint8_t> buffer(70000);
  const std::vector<uint8_t> many(65536);
  const auto fits = [&buffer](auto write) {
    Writer writer(buffer);
    write(writer);
    return writer.ok();
  };
  EXPECT_TRUE(fits([&](Writer& w) { w.Var8(Bytes(many).first(255)); }));
  EXPECT_FALSE(fits([&](Writer& w) { w.Var8(Bytes(many).first(256)); }));
  EXPECT_TRUE(fits([&](Writer& w) { w.Var16(Bytes(many).first(65535)); }));
  EXPECT_FALSE(fits([&](Writer& w) { w.Var16(many); }));
  EXPECT_TRUE(fits([&](Writer& w) { w.Var32(many); }));
}

TEST(Writer, PatchesOnlyWhatIsWritten) {
  std::array<uint8_t, 16> buffer{};
  Writer writer(buffer);
  writer.U16(0);
  writer.PatchU32(0, 1);
  EXPECT_FALSE(writer.ok());
  Writer longer(buffer);
  longer.U64(0);
  longer.PatchU32(4, 0x01020304);
  EXPECT_TRUE(longer.ok());
  EXPECT_EQ(buffer[4], 1);
  EXPECT_EQ(buffer[7], 4);
  longer.PatchU32(5, 1);
  EXPECT_FALSE(longer.ok());
}

TEST(Reader, ReadsWhatTheWriterWrote) {
  std::vector<uint8_t> buffer(64);
  Writer writer(buffer);
  writer.U8(1);
  writer.U16(2);
  writer.U32(3);
  writer.U64(4);
  writer.Var8(AsBytes("a"));
  writer.Var16(AsBytes("bc"));
  writer.Var32(AsBytes(""));
  writer.Raw(AsBytes("end"));
  Reader reader(writer.written());
  EXPECT_EQ(reader.U8(), 1);
  EXPECT_EQ(reader.U16(), 2);
  EXPECT_EQ(reader.U32(), 3U);
  EXPECT_EQ(reader.U64(), 4U);
  EXPECT_EQ(AsText(reader.Var8(1)), "a");
  EXPECT_EQ(AsText(reader.Var16(2)), "bc");
  EXPECT_EQ(AsText(reader.Var32(0)), "");
  EXPECT_FALSE(reader.Done()) << "three bytes are left";
  EXPECT_EQ(reader.left(), 3U);
  EXPECT_EQ(AsText(reader.Raw(3)), "end");
  EXPECT_TRUE(reader.Done());
  reader.Fail();
  EXPECT_FALSE(reader.Done());
}

TEST(Reader, GivesNothingBeyondTheEndAndStaysFailed) {
  const std::array<uint8_t, 3> bytes = {1, 2, 3};
  Reader reader(bytes);
  EXPECT_EQ(reader.U32(), 0U);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.U8(), 0) << "though there would be a byte";
  EXPECT_FALSE(reader.Done());
}

TEST(Reader, HoldsALengthToItsLimitAndToWhatIsThere) {
  const std::array<uint8_t, 4> bytes = {3, 'a', 'b', 'c'};
  EXPECT_EQ(AsText(Reader(bytes).Var8(3)), "abc");
  Reader over_limit(bytes);
  EXPECT_TRUE(over_limit.Var8(2).empty());
  EXPECT_FALSE(over_limit.ok());
  Reader cut(Bytes(bytes).first(3));
  EXPECT_TRUE(cut.Var8(3).empty());
  EXPECT_FALSE(cut.ok());
  const std::array<uint8_t, 5> huge = {0xff, 0xff, 0xff, 0xff, 'a'};
  Reader wrapping(huge);
  EXPECT_TRUE(wrapping.Var32(~size_t{0}).empty());
  EXPECT_FALSE(wrapping.ok());
  Reader far(bytes);
  EXPECT_TRUE(far.Raw(~size_t{0}).empty());
  EXPECT_FALSE(far.ok());
}

}  // namespace
}  // namespace keybroker::wire
