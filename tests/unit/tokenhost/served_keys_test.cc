#include "tokenhost/served_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "keybroker/wire/frame.h"

namespace keybroker::tokenhost {
namespace {

using ::testing::ElementsAre;

token::KeyPair Key(uint8_t number, const std::string& label) {
  token::KeyPair key;
  key.private_key = number;
  key.id = {number};
  key.label = label;
  key.type = cryptoki::KeyType::kEc;
  key.bits = 256;
  key.public_first = {6, 1, number};
  key.public_second = {4, 1, number};
  key.spki_sha256.fill(number);
  key.mechanisms = {CKM_ECDSA, CKM_ECDSA_SHA256};
  return key;
}

struct Page {
  wire::CataloguePage head;
  std::vector<std::string> labels;
};

Page Read(const ServedKeys& keys, uint32_t first,
          size_t room = wire::kMaxMessage - wire::kHeaderSize) {
  std::vector<uint8_t> buffer(wire::kMaxMessage);
  wire::Writer writer(buffer);
  keys.WritePage(first, true, room, writer);
  auto reader = wire::CatalogueReader::Open(writer.written());
  EXPECT_TRUE(reader);
  Page page{reader->page(), {}};
  while (const auto entry = reader->Next()) page.labels.emplace_back(entry->label);
  EXPECT_TRUE(reader->ok());
  return page;
}

TEST(ServedKeys, FindsAKeyByItsReference) {
  const ServedKeys keys = ServedKeys::Build({{Key(1, "a"), Key(2, "b")}, {}});
  wire::KeyRef ref{};
  ref.fill(2);
  ASSERT_NE(keys.Find(ref), nullptr);
  EXPECT_EQ(keys.Find(ref)->handle, 2U);
  ref.fill(3);
  EXPECT_EQ(keys.Find(ref), nullptr);
}

TEST(ServedKeys, HaveAGenerationThatFollowsTheContent) {
  const auto one = ServedKeys::Build({{Key(1, "a")}, {}}).generation();
  const auto same = ServedKeys::Build({{Key(1, "a")}, {}}).generation();
  const auto other = ServedKeys::Build({{Key(1, "b")}, {}}).generation();
  EXPECT_EQ(one, same);
  EXPECT_NE(one, other);
  EXPECT_NE(ServedKeys().generation(), 0U);
  EXPECT_NE(ServedKeys().generation(), ServedKeys::Build({}).generation())
      << "a token without keys is news after one that was never read";
}

TEST(ServedKeys, KeepTheGenerationWhenOnlyHandlesChange) {
  token::KeyPair moved = Key(1, "a");
  moved.private_key = 77;
  EXPECT_EQ(ServedKeys::Build({{Key(1, "a")}, {}}).generation(),
            ServedKeys::Build({{moved}, {}}).generation());
}

TEST(ServedKeys, WriteAPageThatTheCodecReads) {
  const ServedKeys keys = ServedKeys::Build({{Key(1, "a"), Key(2, "b"), Key(3, "c")}, {}});
  const Page all = Read(keys, 0);
  EXPECT_EQ(all.head.total, 3U);
  EXPECT_EQ(all.head.generation, keys.generation());
  EXPECT_TRUE(all.head.token_present);
  EXPECT_THAT(all.labels, ElementsAre("a", "b", "c"));
  EXPECT_THAT(Read(keys, 1).labels, ElementsAre("b", "c"));
  EXPECT_THAT(Read(keys, 3).labels, ElementsAre());
}

TEST(ServedKeys, BeginAgainWhenAskedPastTheEnd) {
  const ServedKeys keys = ServedKeys::Build({{Key(1, "a")}, {}});
  EXPECT_EQ(Read(keys, 2).head.first, 0U);
  EXPECT_THAT(Read(keys, 2).labels, ElementsAre("a"));
}

TEST(ServedKeys, GoOverSeveralPagesWithoutLosingAKey) {
  token::KeyList list;
  for (uint8_t i = 0; i < 40; ++i) {
    token::KeyPair key = Key(i, std::string(1, static_cast<char>('0' + i)));
    key.certificate.resize(wire::kMaxCertificate);
    list.keys.push_back(std::move(key));
  }
  const ServedKeys keys = ServedKeys::Build(list);
  std::vector<std::string> labels;
  size_t pages = 0;
  while (labels.size() < 40) {
    const Page page = Read(keys, static_cast<uint32_t>(labels.size()));
    ASSERT_GT(page.labels.size(), 0U);
    labels.insert(labels.end(), page.labels.begin(), page.labels.end());
    ++pages;
  }
  EXPECT_EQ(labels.size(), 40U);
  EXPECT_EQ(labels.back(), list.keys.back().label);
  EXPECT_EQ(pages, 4U);  // 12 entries of 16 KiB a page
}

TEST(ServedKeys, LeaveOutACertificateThatIsTooLongAndSaySo) {
  token::KeyPair key = Key(1, "a");
  key.certificate.resize(wire::kMaxCertificate + 1);
  const ServedKeys keys = ServedKeys::Build({{key}, {}});
  EXPECT_EQ(keys.size(), 1U);
  EXPECT_THAT(keys.skipped(),
              ElementsAre("the certificate of the ec key \"a\" (id 01) is not shown: it has 16385 "
                          "bytes, more than 16384"));
}

TEST(ServedKeys, LeaveOutKeysThatDoNotFitTheWire) {
  token::KeyPair long_id = Key(1, "a");
  long_id.id.resize(wire::kMaxId + 1);
  token::KeyPair no_mechanism = Key(2, "b");
  no_mechanism.mechanisms.clear();
  token::KeyPair binary = Key(3, "\xff");
  const ServedKeys keys =
      ServedKeys::Build({{long_id, no_mechanism, binary, Key(4, "d"), Key(4, "e")}, {"earlier"}});
  EXPECT_THAT(Read(keys, 0).labels, ElementsAre("d"));
  ASSERT_EQ(keys.skipped().size(), 5U);
  EXPECT_EQ(keys.skipped()[0], "earlier");
  EXPECT_EQ(keys.skipped()[2],
            "the ec key \"b\" (id 02) is not served: the token offers no signing mechanism for it");
  EXPECT_EQ(keys.skipped()[4],
            "the ec key \"e\" (id 04) is on the token twice; one of them is served");
}

}  // namespace
}  // namespace keybroker::tokenhost
