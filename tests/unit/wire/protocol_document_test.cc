// docs/protocol.md is the specification: these tests read its tables and hold the code to them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <map>
#include <sstream>

#include "keybroker/wire/admin.h"
#include "keybroker/wire/catalogue.h"
#include "keybroker/wire/frame.h"
#include "keybroker/wire/hello.h"
#include "keybroker/wire/sign.h"
#include "keybroker/wire/token_admin.h"

namespace keybroker::wire {
namespace {

using ::testing::ElementsAre;

// FieldRow is one row of a body's table.
struct FieldRow {
  std::string name;
  std::string form;     // "u16", "raw32", "var8"
  std::string repeats;  // name of the field that says how often; empty: once
  uint64_t min = 0;     // integer, or length
  uint64_t max = 0;
};

using TableRow = std::vector<std::string>;

std::string Trimmed(const std::string& text) {
  const size_t begin = text.find_first_not_of(' ');
  return begin == std::string::npos ? ""
                                    : text.substr(begin, text.find_last_not_of(' ') + 1 - begin);
}

// TableUnder gives the rows, heading and rule left out, of the first table under a heading such as
// "## Limits"; cells are trimmed. Empty when there is none before the next heading.
std::vector<TableRow> TableUnder(const std::string& heading) {
  std::ifstream in(KB_SOURCE_DIR "/docs/protocol.md");
  EXPECT_TRUE(in.good());
  std::vector<TableRow> rows;
  bool inside = false;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("#")) {
      if (inside) break;
      inside = line == heading;
    } else if (inside && line.starts_with("|")) {
      TableRow cells;
      std::istringstream text(line.substr(1));
      for (std::string cell; std::getline(text, cell, '|');) cells.push_back(Trimmed(cell));
      rows.push_back(cells);
    } else if (inside && !rows.empty()) {
      break;
    }
  }
  if (rows.size() < 2) return {};
  return {rows.begin() + 2, rows.end()};
}

// BodyOf gives the fields of a message's body.
std::vector<FieldRow> BodyOf(const std::string& message) {
  std::vector<FieldRow> fields;
  for (const TableRow& row : TableUnder("### " + message)) {
    EXPECT_EQ(row.size(), 4U) << message;
    FieldRow field;
    field.name = row[0];
    const std::string times = " \u00d7 ";
    const size_t at = row[1].find(times);
    field.form = row[1].substr(0, at);
    if (at != std::string::npos) field.repeats = row[1].substr(at + times.size());
    if (const size_t dash = row[2].find('-'); dash != std::string::npos) {
      field.min = std::stoull(row[2].substr(0, dash));
      field.max = std::stoull(row[2].substr(dash + 1));
    }
    fields.push_back(field);
  }
  return fields;
}

size_t WidthOf(const std::string& form) {
  static const std::map<std::string, size_t> widths = {
      {"u8", 1},   {"u16", 2},   {"u32", 4},   {"u64", 8},
      {"var8", 1}, {"var16", 2}, {"var32", 4}, {"raw32", 32},
  };
  return widths.at(form);
}

void PutInteger(uint64_t value, size_t width, std::vector<uint8_t>* out) {
  for (size_t i = width; i > 0; --i) out->push_back(static_cast<uint8_t>(value >> (8 * (i - 1))));
}

void PutField(const FieldRow& field, uint64_t value, std::vector<uint8_t>* out) {
  if (field.form == "raw32") {
    out->insert(out->end(), 32, 0x5a);
    return;
  }
  PutInteger(value, WidthOf(field.form), out);
  if (field.form.starts_with("var")) out->insert(out->end(), value, 0x5a);
}

// Values says what each field is given; what is not named gets its smallest value.
using Values = std::map<std::string, uint64_t>;

// Body makes a message's body from the document alone.
std::vector<uint8_t> Body(const std::vector<FieldRow>& fields, const Values& values) {
  std::vector<uint8_t> out;
  Values given;
  for (const FieldRow& field : fields) {
    const auto named = values.find(field.name);
    const uint64_t value = named == values.end() ? field.min : named->second;
    given[field.name] = value;
    const uint64_t times = field.repeats.empty() ? 1 : given.at(field.repeats);
    for (uint64_t i = 0; i < times; ++i) PutField(field, value, &out);
  }
  return out;
}

bool ReadsPage(Bytes body) {
  auto reader = CatalogueReader::Open(body);
  if (!reader) return false;
  while (reader->Next()) {
  }
  return reader->ok();
}

bool ReadsEntry(Bytes entry) {
  std::vector<uint8_t> page = Body(BodyOf("CataloguePage"), {{"total", 1}, {"count", 1}});
  page.insert(page.end(), entry.begin(), entry.end());
  return ReadsPage(page);
}

struct Message {
  std::string name;
  std::function<bool(Bytes)> reads;
  Values base;        // values that a body needs so that every row matters
  bool open = false;  // bytes after the last field are ignored
};

const std::vector<Message>& Messages() {
  static const std::vector<Message> messages = {
      {"Hello", [](Bytes b) { return DecodeHello(b).has_value(); }, {{"max version", 65535}}, true},
      {"HelloReply", [](Bytes b) { return DecodeHelloReply(b).has_value(); }, {}, true},
      {"CatalogueRequest", [](Bytes b) { return DecodeCatalogueRequest(b).has_value(); }, {}},
      {"CataloguePage", ReadsPage, {}},
      {"CatalogueEntry", ReadsEntry, {{"mechanisms", 1}}},
      {"SignRequest",
       [](Bytes b) { return DecodeSignRequest(b).has_value(); },
       {{"parameters", 1}}},
      {"SignReply", [](Bytes b) { return DecodeSignReply(b).has_value(); }, {}},
      {"Failure", [](Bytes b) { return DecodeFailure(b).has_value(); }, {}},
      {"AdminRequest",
       [](Bytes b) { return DecodeAdminRequest(b).has_value(); },
       {{"arguments", 1}}},
      {"AdminReply", [](Bytes b) { return DecodeAdminReply(b).has_value(); }, {}},
      {"TokenStatusReply", [](Bytes b) { return DecodeTokenStatus(b).has_value(); }, {}},
      {"UnlockRequest", [](Bytes b) { return DecodeUnlockRequest(b).has_value(); }, {}},
  };
  return messages;
}

// The rows whose range depends on another field; the document says how in words.
bool DependsOnOthers(const std::string& message, const std::string& field) {
  return message == "CataloguePage" && (field == "total" || field == "first" || field == "count");
}

uint64_t LargestOf(const std::string& form) {
  const size_t bits = 8 * WidthOf(form);
  return bits == 64 ? ~uint64_t{0} : (uint64_t{1} << bits) - 1;
}

TEST(ProtocolDocument, GivesEveryMessageItsNumber) {
  std::vector<std::string> rows;
  for (const TableRow& row : TableUnder("## Messages")) rows.push_back(row[0] + " " + row[1]);
  const auto number = [](MessageType type, const std::string& name) {
    return std::to_string(static_cast<unsigned>(type)) + " " + name;
  };
  EXPECT_THAT(rows, ElementsAre(number(MessageType::kHello, "Hello"),
                                number(MessageType::kHelloReply, "HelloReply"),
                                number(MessageType::kCatalogueRequest, "CatalogueRequest"),
                                number(MessageType::kCataloguePage, "CataloguePage"),
                                number(MessageType::kSignRequest, "SignRequest"),
                                number(MessageType::kSignReply, "SignReply"),
                                number(MessageType::kFailure, "Failure"),
                                number(MessageType::kAdminRequest, "AdminRequest"),
                                number(MessageType::kAdminReply, "AdminReply"),
                                number(MessageType::kTokenStatusRequest, "TokenStatusRequest"),
                                number(MessageType::kTokenStatusReply, "TokenStatusReply"),
                                number(MessageType::kUnlockRequest, "UnlockRequest"),
                                number(MessageType::kUnlockReply, "UnlockReply"),
                                number(MessageType::kBorrowRequest, "BorrowRequest"),
                                number(MessageType::kBorrowReply, "BorrowReply")));
}

TEST(ProtocolDocument, ListsExactlyTheTypesThatTheDecoderKnows) {
  std::vector<unsigned> listed;
  for (const TableRow& row : TableUnder("## Messages")) {
    listed.push_back(static_cast<unsigned>(std::stoul(row[0])));
  }
  std::vector<unsigned> known;
  for (unsigned type = 0; type <= 0xffff; ++type) {
    std::vector<uint8_t> message;
    PutInteger(type, 2, &message);
    message.resize(kHeaderSize);
    if (DecodeFrame(message)) known.push_back(type);
  }
  EXPECT_EQ(known, listed);
}

TEST(ProtocolDocument, StatesEveryLimitAsTheCodeHasIt) {
  std::vector<std::string> rows;
  for (const TableRow& row : TableUnder("## Limits")) rows.push_back(row[0] + " " + row[1]);
  const auto limit = [](const std::string& name, size_t value) {
    return name + " " + std::to_string(value);
  };
  EXPECT_THAT(
      rows, ElementsAre(limit("kHeaderSize", kHeaderSize), limit("kMaxMessage", kMaxMessage),
                        limit("kMaxSignData", kMaxSignData), limit("kMaxSignature", kMaxSignature),
                        limit("kMaxName", kMaxName), limit("kMaxId", kMaxId),
                        limit("kMaxPublicField", kMaxPublicField),
                        limit("kMaxCertificate", kMaxCertificate),
                        limit("kMaxMechanisms", kMaxMechanisms), limit("kMaxText", kMaxText),
                        limit("kMaxPin", kMaxPin), limit("kMaxDetail", kMaxDetail),
                        limit("kKeyRefSize", kKeyRefSize)));
  EXPECT_EQ(kVersion, 1) << "the document says: this is version 1";
  EXPECT_EQ(kMinVersion, 1);
}

TEST(ProtocolDocument, LaysOutTheHeaderAsTheCodeWritesIt) {
  std::vector<uint8_t> expected;
  const Values values = {
      {"type", 5}, {"version", 0x0102}, {"request id", 0x03040506}, {"length", 1}};
  for (const TableRow& row : TableUnder("## Frame")) {
    PutInteger(values.at(row[0]), WidthOf(row[1]), &expected);
  }
  expected.push_back(0xee);
  std::vector<uint8_t> buffer(64);
  FrameWriter frame(buffer, {MessageType::kSignRequest, 0x0102, 0x03040506});
  frame.body().U8(0xee);
  buffer.resize(frame.Finish());
  EXPECT_EQ(buffer, expected);
}

TEST(ProtocolDocument, DescribesEveryBody) {
  for (const Message& message : Messages()) {
    const auto fields = BodyOf(message.name);
    ASSERT_FALSE(fields.empty()) << message.name;
    EXPECT_TRUE(message.reads(Body(fields, message.base))) << message.name;
  }
  EXPECT_TRUE(BodyOf("TokenStatusRequest").empty());
}

TEST(ProtocolDocument, GivesEachFieldItsRange) {
  for (const Message& message : Messages()) {
    const auto fields = BodyOf(message.name);
    for (const FieldRow& field : fields) {
      if (field.form == "raw32" || DependsOnOthers(message.name, field.name)) continue;
      const auto reads_with = [&](uint64_t value) {
        Values values = message.base;
        values[field.name] = value;
        return message.reads(Body(fields, values));
      };
      const std::string where = message.name + "." + field.name;
      EXPECT_TRUE(reads_with(field.min)) << where;
      EXPECT_TRUE(reads_with(field.max)) << where;
      if (field.min > 0) {
        EXPECT_FALSE(reads_with(field.min - 1)) << where;
      }
      if (field.max < LargestOf(field.form)) {
        EXPECT_FALSE(reads_with(field.max + 1)) << where;
      }
    }
  }
}

TEST(ProtocolDocument, LeavesNothingOutAndNothingOver) {
  for (const Message& message : Messages()) {
    std::vector<uint8_t> body = Body(BodyOf(message.name), message.base);
    for (size_t size = 0; size < body.size(); ++size) {
      EXPECT_FALSE(message.reads(Bytes(body).first(size))) << message.name << " cut to " << size;
    }
    body.push_back(0);
    EXPECT_EQ(message.reads(body), message.open) << message.name;
  }
}

}  // namespace
}  // namespace keybroker::wire
