#include <poll.h>

#include <chrono>
#include <memory>
#include <optional>

#include "module/limits.h"
#include "support/module_fixture.h"
#include "test_certificate.h"

namespace keybroker::module {
namespace {

using test::Attribute;
using test::BrokerRequest;
using test::Deed;
using test::FakeKey;
using wire::MessageType;

std::vector<FakeKey> ManyKeys(uint32_t count, uint32_t first = 1) {
  std::vector<FakeKey> keys;
  for (uint32_t i = first; i < first + count; ++i) {
    keys.push_back(test::EcKey("k" + std::to_string(i) + ".example.test", i));
  }
  return keys;
}

class Catalogues : public test::ModuleTest {
 protected:
  size_t Pages() { return broker_.Count(MessageType::kCatalogueRequest); }
};

TEST_F(Catalogues, ComeInAsManyPagesAsItTakes) {
  Start(ManyKeys(501));
  const CK_SESSION_HANDLE session = Open();
  EXPECT_EQ(Find(session).size(), 1002u);
  EXPECT_EQ(Pages(), 11u) << "of 50 entries";
  for (const FakeKey& key :
       {ManyKeys(1)[0], ManyKeys(1, 50)[0], ManyKeys(1, 51)[0], ManyKeys(1, 501)[0]}) {
    EXPECT_NE(PrivateKey(session, key), CK_INVALID_HANDLE) << key.name;
  }
}

TEST_F(Catalogues, AreFetchedAgainOnlyWhenTheGenerationChanged) {
  Start(ManyKeys(120));
  const CK_SESSION_HANDLE session = Open();
  Find(session);
  EXPECT_EQ(Pages(), 3u);
  for (int i = 0; i < 5; ++i) Find(session);
  EXPECT_EQ(Pages(), 8u) << "one small question for each search";
  broker_.SetKeys(ManyKeys(121));
  EXPECT_EQ(Find(session).size(), 242u);
  EXPECT_EQ(Pages(), 11u);
}

// As the engine and libp11 do when a process loads its keys: one question is enough for all of
// them.
TEST_F(Catalogues, AreAskedForOnceByTheSearchesThatLoadAKey) {
  Start(ManyKeys(2));
  const CK_SESSION_HANDLE session = Open();
  const CK_OBJECT_CLASS private_key = CKO_PRIVATE_KEY;
  const CK_OBJECT_CLASS public_key = CKO_PUBLIC_KEY;
  const std::vector<FakeKey> keys = ManyKeys(2);
  EXPECT_EQ(Find(session, {Attribute(CKA_CLASS, private_key)}).size(), 2u);
  for (const FakeKey& key : keys) {
    EXPECT_NE(PrivateKey(session, key), CK_INVALID_HANDLE);
    EXPECT_EQ(Find(session, {Attribute(CKA_CLASS, public_key), Attribute(CKA_ID, key.id)}).size(),
              1u);
  }
  EXPECT_EQ(Pages(), 1u);
  Find(session, {Attribute(CKA_CLASS, private_key)});
  EXPECT_EQ(Pages(), 2u) << "who searches again wants to know what is new";
}

// A program that makes no end of different searches does not go on for ever without asking.
TEST_F(Catalogues, AreAskedForAnewAfterManySearches) {
  Start(ManyKeys(20));
  const CK_SESSION_HANDLE session = Open();
  for (const FakeKey& key : ManyKeys(20)) {
    EXPECT_NE(PrivateKey(session, key), CK_INVALID_HANDLE);
  }
  EXPECT_EQ(Pages(), 3u) << "one for each 8 searches";
}

TEST_F(Catalogues, AreAskedForAnewWhenNothingIsFound) {
  Start(ManyKeys(1));
  const CK_SESSION_HANDLE session = Open();
  PrivateKey(session, ManyKeys(1)[0]);
  const std::vector<uint8_t> nobody = {9, 9, 9, 9};
  EXPECT_TRUE(Find(session, {Attribute(CKA_ID, nobody)}).empty());
  EXPECT_EQ(Pages(), 2u);
  EXPECT_TRUE(Find(session, {Attribute(CKA_ID, nobody)}).empty());
  EXPECT_EQ(Pages(), 3u);
}

TEST_F(Catalogues, ShowANewKeyToTheNextSearch) {
  Start(ManyKeys(1));
  const CK_SESSION_HANDLE session = Open();
  const CK_OBJECT_HANDLE first = PrivateKey(session, ManyKeys(1)[0]);
  broker_.SetKeys(ManyKeys(2));
  EXPECT_NE(PrivateKey(session, ManyKeys(1, 2)[0]), CK_INVALID_HANDLE);
  EXPECT_EQ(PrivateKey(session, ManyKeys(1)[0]), first) << "handles follow from the key";
}

TEST_F(Catalogues, LoseAKeyThatIsNoLongerShown) {
  Start(ManyKeys(2));
  const CK_SESSION_HANDLE session = Open();
  const CK_OBJECT_HANDLE gone = PrivateKey(session, ManyKeys(1, 2)[0]);
  broker_.SetKeys(ManyKeys(1));
  EXPECT_EQ(SignDigest(session, gone).rv, CKR_KEY_HANDLE_INVALID) << "the broker says so";
  EXPECT_EQ(Find(session).size(), 2u);
  EXPECT_EQ(SignDigest(session, gone).rv, CKR_KEY_HANDLE_INVALID);
  CK_ATTRIBUTE label = {CKA_LABEL, nullptr, 0};
  EXPECT_EQ(api_->C_GetAttributeValue(session, gone, &label, 1), CKR_OBJECT_HANDLE_INVALID);
}

TEST_F(Catalogues, DoNotChangeUnderARunningSearch) {
  Start(ManyKeys(40));
  const CK_SESSION_HANDLE session = Open();
  ASSERT_EQ(api_->C_FindObjectsInit(session, nullptr, 0), CKR_OK);
  broker_.SetKeys({});
  const CK_SESSION_HANDLE other = Open();
  EXPECT_TRUE(Find(other).empty());
  std::vector<CK_OBJECT_HANDLE> found(200);
  CK_ULONG count = 0;
  EXPECT_EQ(api_->C_FindObjects(session, found.data(), found.size(), &count), CKR_OK);
  EXPECT_EQ(count, 80u);
}

// Half way through the pages the broker begins again with another generation.
TEST_F(Catalogues, StartAnewWhenTheGenerationChangesBetweenPages) {
  broker_.SetScript([this](const BrokerRequest& request) {
    if (request.header.type == MessageType::kCatalogueRequest && request.nth == 3) {
      broker_.SetKeys(ManyKeys(160, 1000));
    }
    return Deed{};
  });
  Start(ManyKeys(160));
  const CK_SESSION_HANDLE session = Open();
  EXPECT_EQ(Find(session).size(), 320u);
  EXPECT_NE(PrivateKey(session, ManyKeys(1, 1100)[0]), CK_INVALID_HANDLE);
}

// A page that is malformed, or not of the same catalogue as those before it: all is asked for anew,
// from the start, and at once.
TEST_F(Catalogues, StartAnewWhenAPageDoesNotFitTheOthers) {
  constexpr size_t kTotal = wire::kHeaderSize + 8 + 3;
  constexpr size_t kCount = kTotal + 6;
  for (const size_t place : {kTotal, kCount}) {
    auto once = std::make_shared<bool>(false);
    broker_.SetScript([this, place, once](const BrokerRequest& request) {
      Deed deed{Deed::Kind::kSend, broker_.RightAnswer(request), false};
      const bool page = request.header.type == MessageType::kCatalogueRequest;
      const auto asked = page ? wire::DecodeCatalogueRequest(request.body) : std::nullopt;
      if (!asked || asked->first != 50 || *once) return deed;
      *once = true;
      --deed.bytes[place];
      return deed;
    });
    ASSERT_NO_FATAL_FAILURE(Start(ManyKeys(160)));
    EXPECT_EQ(Find(Open()).size(), 320u);
    EXPECT_TRUE(*once);
    EXPECT_LT(Pages(), 30u);
    ASSERT_EQ(api_->C_Finalize(nullptr), CKR_OK);
    broker_.Kill();
  }
}

// 16 KiB of certificate each: of 2 GB that a broker could send so, no more than the cap is kept.
TEST_F(Catalogues, EndWithAnErrorWhenTheyAreLargerThanAListenerIsToKeep) {
  auto keys = ManyKeys(static_cast<uint32_t>(kMaxCatalogueBytes / wire::kMaxCertificate) + 1);
  for (auto& key : keys) key.certificate.assign(wire::kMaxCertificate, 0x30);
  broker_.SetPageSize(11);  // as many as one message holds
  Start(keys);
  const CK_SESSION_HANDLE session = Open();
  EXPECT_EQ(api_->C_FindObjectsInit(session, nullptr, 0), CKR_DEVICE_ERROR);
  keys.resize(100);
  broker_.SetKeys(keys);
  EXPECT_EQ(Find(session).size(), 200u);
}

// Slow: a broker that shows one key every half second is waited for ten seconds, not for all keys.
TEST_F(Catalogues, EndWithAnErrorWhenTheyTakeTooLong) {
  broker_.SetPageSize(1);
  broker_.SetScript([](const BrokerRequest& request) {
    if (request.header.type == MessageType::kCatalogueRequest) ::poll(nullptr, 0, 500);
    return Deed{};
  });
  Start(ManyKeys(1000));
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(api_->C_FindObjectsInit(Open(), nullptr, 0), CKR_DEVICE_ERROR);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
}

// Bounded by the budget: a second.
TEST_F(Catalogues, EndWithAnErrorWhenTheGenerationNeverHoldsStill) {
  broker_.SetScript([this](const BrokerRequest& request) {
    if (request.header.type == MessageType::kCatalogueRequest) broker_.SetKeys(ManyKeys(160));
    return Deed{};
  });
  Start(ManyKeys(160));
  EXPECT_EQ(api_->C_FindObjectsInit(Open(), nullptr, 0), CKR_DEVICE_ERROR);
}

TEST_F(Catalogues, GoOnAfterALostConnection) {
  broker_.SetScript([](const BrokerRequest& request) {
    const bool third = request.header.type == MessageType::kCatalogueRequest && request.nth == 3;
    return Deed{third ? Deed::Kind::kEnd : Deed::Kind::kAnswer, {}, false};
  });
  Start(ManyKeys(160));
  EXPECT_EQ(Find(Open()).size(), 320u);
  EXPECT_EQ(broker_.connections(), 2u);
}

TEST_F(Catalogues, TakeAKeyThatIsNamedTwiceOnce) {
  auto keys = ManyKeys(3);
  keys.push_back(keys[0]);
  Start(keys);
  EXPECT_EQ(Find(Open()).size(), 6u);
}

TEST_F(Catalogues, ShowAKeyWithoutACertificateThatIsNone) {
  auto keys = ManyKeys(3);
  keys[0].certificate = {0x30, 0x82};
  keys[1].certificate = TestCertificate("k2.example.test", 1);
  keys[2].certificate = TestCertificate("k3.example.test", 1);
  keys[2].certificate.push_back(0);
  Start(keys);
  EXPECT_EQ(Find(Open()).size(), 7u) << "six keys and the one certificate";
}

TEST_F(Catalogues, HoldTheLargestFieldsOfTheProtocol) {
  FakeKey key = test::RsaKey(std::string(255, 'n'), 1);
  key.id = std::vector<uint8_t>(64, 0xa5);
  key.bits = 8192;
  key.public_first = std::vector<uint8_t>(2048, 0xff);
  key.public_second = std::vector<uint8_t>(2048, 0x11);
  key.certificate = TestCertificate(std::string(100, 'n'), 1);
  Start({key});
  const CK_SESSION_HANDLE session = Open();
  const CK_OBJECT_HANDLE handle = PrivateKey(session, key);
  const auto data = Digest();
  EXPECT_EQ(Sign(session, handle, {CKM_SHA256_RSA_PKCS, nullptr, 0}, data).bytes,
            RightSignature(key, data));
}

TEST_F(Catalogues, MayBeEmpty) {
  Start({});
  const CK_SESSION_HANDLE session = Open();
  EXPECT_TRUE(Find(session).empty());
  EXPECT_EQ(SignDigest(session, 4 | 1).rv, CKR_KEY_HANDLE_INVALID);
}

}  // namespace
}  // namespace keybroker::module
