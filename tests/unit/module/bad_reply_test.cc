#include <dirent.h>

#include <atomic>
#include <chrono>
#include <memory>

#include "keybroker/wire/sign.h"
#include "support/module_fixture.h"

namespace keybroker::module {
namespace {

using test::BrokerRequest;
using test::Deed;
using wire::MessageType;
using Bytes = std::vector<uint8_t>;

// Spoilt is a way to make an answer wrong; it changes the right one.
struct Spoilt {
  const char* how;
  void (*spoil)(Deed* deed);
};

void Resize(Deed* deed, size_t size) { deed->bytes.resize(size); }

const Spoilt kSpoilt[] = {
    {"an empty frame", [](Deed* deed) { Resize(deed, 0); }},
    {"one byte", [](Deed* deed) { Resize(deed, 1); }},
    {"half a header", [](Deed* deed) { Resize(deed, wire::kHeaderSize - 1); }},
    {"a header without its body", [](Deed* deed) { Resize(deed, wire::kHeaderSize); }},
    {"a byte too few", [](Deed* deed) { Resize(deed, deed->bytes.size() - 1); }},
    {"a byte too many", [](Deed* deed) { Resize(deed, deed->bytes.size() + 1); }},
    {"more than a message may have", [](Deed* deed) { Resize(deed, wire::kMaxMessage + 1); }},
    {"another type", [](Deed* deed) { deed->bytes[1] = 33; }},
    {"an unknown type", [](Deed* deed) { deed->bytes[0] = 0x7f; }},
    {"the request's own type", [](Deed* deed) { --deed->bytes[1]; }},
    {"another version", [](Deed* deed) { ++deed->bytes[3]; }},
    {"another request's id", [](Deed* deed) { ++deed->bytes[7]; }},
    {"a length that is not its own", [](Deed* deed) { ++deed->bytes[11]; }},
    {"a malformed Failure",
     [](Deed* deed) {
       deed->bytes = {0,
                      7,
                      deed->bytes[2],
                      deed->bytes[3],
                      deed->bytes[4],
                      deed->bytes[5],
                      deed->bytes[6],
                      deed->bytes[7],
                      0,
                      0,
                      0,
                      2,
                      0,
                      1};
     }},
    {"a Failure of no known code",
     [](Deed* deed) {
       deed->bytes = {0,
                      7,
                      deed->bytes[2],
                      deed->bytes[3],
                      deed->bytes[4],
                      deed->bytes[5],
                      deed->bytes[6],
                      deed->bytes[7],
                      0,
                      0,
                      0,
                      6,
                      0,
                      99,
                      0,
                      0,
                      0,
                      0};
     }},
    {"a descriptor", [](Deed* deed) { deed->descriptor = true; }},
};

size_t OpenDescriptors() {
  DIR* folder = ::opendir("/proc/self/fd");
  size_t count = 0;
  while (::readdir(folder) != nullptr) ++count;
  ::closedir(folder);
  return count;
}

class BadReply : public test::ModuleTest {
 protected:
  // Spoil makes the first answer to a message of that type wrong.
  void Spoil(MessageType type, const Spoilt& spoilt) {
    auto once = std::make_shared<std::atomic<bool>>(false);
    broker_.SetScript([this, type, spoilt, once](const BrokerRequest& request) {
      if (request.header.type != type || once->exchange(true)) return Deed{};
      Deed deed{Deed::Kind::kSend, broker_.RightAnswer(request), false};
      spoilt.spoil(&deed);
      return deed;
    });
  }
  const test::FakeKey key_ = test::EcKey("a.example.test", 1);
};

TEST_F(BadReply, ToASignRequestEndsTheConnectionAndTheCallRepeatsIt) {
  Start({key_});
  const CK_SESSION_HANDLE session = Open();
  const CK_OBJECT_HANDLE handle = PrivateKey(session, key_);
  for (const Spoilt& spoilt : kSpoilt) {
    const size_t signs = broker_.signs();
    const size_t connections = broker_.connections();
    const size_t descriptors = OpenDescriptors();
    Spoil(MessageType::kSignRequest, spoilt);
    const auto made = SignDigest(session, handle);
    EXPECT_EQ(made.rv, CKR_OK) << spoilt.how;
    EXPECT_EQ(made.bytes, RightSignature(key_, Digest())) << spoilt.how;
    EXPECT_EQ(broker_.signs(), signs + 2) << spoilt.how;
    EXPECT_EQ(broker_.connections(), connections + 1) << spoilt.how;
    // The fake keeps the end of the connection that is over; the module nothing.
    EXPECT_LE(OpenDescriptors(), descriptors + 1) << spoilt.how;
  }
}

TEST_F(BadReply, ToHelloIsTriedAgain) {
  for (const Spoilt& spoilt : kSpoilt) {
    Spoil(MessageType::kHello, spoilt);
    ASSERT_NO_FATAL_FAILURE(Start({key_}));
    const size_t connections = broker_.connections();
    const CK_SESSION_HANDLE session = Open();
    EXPECT_NE(PrivateKey(session, key_), CK_INVALID_HANDLE) << spoilt.how;
    // HelloReply may grow: what follows the fields we know is not looked at.
    EXPECT_EQ(broker_.connections(), connections + 2) << spoilt.how;
    ASSERT_EQ(api_->C_Finalize(nullptr), CKR_OK);
    broker_.Kill();
  }
}

TEST_F(BadReply, ToACatalogueRequestIsAskedForAgain) {
  Start({key_});
  const CK_SESSION_HANDLE session = Open();
  for (const Spoilt& spoilt : kSpoilt) {
    broker_.SetKeys({key_});  // another generation, so that it is fetched
    const size_t connections = broker_.connections();
    Spoil(MessageType::kCatalogueRequest, spoilt);
    EXPECT_EQ(Find(session).size(), 2u) << spoilt.how;
    EXPECT_EQ(broker_.connections(), connections + (connections == 0 ? 2 : 1)) << spoilt.how;
  }
}

TEST_F(BadReply, CutOffAnywhereIsNoAnswer) {
  Start({key_});
  const CK_SESSION_HANDLE session = Open();
  const CK_OBJECT_HANDLE handle = PrivateKey(session, key_);
  constexpr size_t kAnswer = wire::kHeaderSize + 2 + 64;
  for (size_t size = 0; size < kAnswer; ++size) {
    std::atomic<bool> once = false;
    broker_.SetScript([&](const BrokerRequest& request) {
      if (request.header.type != MessageType::kSignRequest || once.exchange(true)) return Deed{};
      Deed deed{Deed::Kind::kSend, broker_.RightAnswer(request), false};
      deed.bytes.resize(size);
      // As if the broker meant it: the header's length agrees.
      if (size >= wire::kHeaderSize) {
        deed.bytes[11] = static_cast<uint8_t>(size - wire::kHeaderSize);
      }
      return deed;
    });
    EXPECT_EQ(SignDigest(session, handle).bytes, RightSignature(key_, Digest())) << size;
  }
  EXPECT_EQ(broker_.signs(), 2 * kAnswer);
}

TEST_F(BadReply, OfEveryPossibleByteNeverCrashesTheHost) {
  Start({key_});
  const CK_SESSION_HANDLE session = Open();
  const CK_OBJECT_HANDLE handle = PrivateKey(session, key_);
  unsigned seed = 1;
  for (int round = 0; round < 100; ++round) {
    std::atomic<bool> once = false;
    broker_.SetKeys({key_});
    broker_.SetScript([&](const BrokerRequest& request) {
      if (request.header.type == MessageType::kHello || once.exchange(true)) return Deed{};
      Deed deed{Deed::Kind::kSend, broker_.RightAnswer(request), false};
      for (int change = 0; change < 3; ++change) {
        const auto place = static_cast<size_t>(::rand_r(&seed));
        deed.bytes[place % deed.bytes.size()] = static_cast<uint8_t>(::rand_r(&seed));
      }
      return deed;
    });
    // Whatever the spoilt answer made of it: the calls come back with what the standard allows.
    api_->C_FindObjectsFinal(session);
    const CK_RV found = api_->C_FindObjectsInit(session, nullptr, 0);
    EXPECT_TRUE(found == CKR_OK || found == CKR_DEVICE_ERROR || found == CKR_FUNCTION_FAILED ||
                found == CKR_KEY_HANDLE_INVALID || found == CKR_FUNCTION_REJECTED)
        << found;
  }
  broker_.SetScript(nullptr);
  broker_.SetKeys({key_});
  EXPECT_EQ(SignDigest(session, handle).rv, CKR_OK);
}

// The broker always answers wrong: the call gives up within its second.
TEST_F(BadReply, ForeverIsADeviceError) {
  Start({key_});
  const CK_SESSION_HANDLE session = Open();
  const CK_OBJECT_HANDLE handle = PrivateKey(session, key_);
  broker_.SetScript([](const BrokerRequest& request) {
    const bool sign = request.header.type == MessageType::kSignRequest;
    return Deed{sign ? Deed::Kind::kSend : Deed::Kind::kAnswer, {1, 2, 3}, false};
  });
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(SignDigest(session, handle).rv, CKR_DEVICE_ERROR);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  EXPECT_LT(broker_.signs(), 200u) << "with pauses in between";
  broker_.SetScript(nullptr);
  EXPECT_EQ(SignDigest(session, handle).rv, CKR_OK);
}

}  // namespace
}  // namespace keybroker::module
