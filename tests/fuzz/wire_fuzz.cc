// Every decoder of the wire: no input crashes it, and what it accepts has one spelling only, which
// is what the encoder writes. Input: a message with its header.
#include <cstdint>
#include <cstring>
#include <vector>

#include "fuzz/require.h"
#include "keybroker/wire/admin.h"
#include "keybroker/wire/catalogue.h"
#include "keybroker/wire/frame.h"
#include "keybroker/wire/hello.h"
#include "keybroker/wire/sign.h"
#include "keybroker/wire/token_admin.h"

namespace {

using namespace keybroker::wire;
using keybroker::test::Require;

bool Same(Bytes a, Bytes b) {
  return a.size() == b.size() && (a.empty() || memcmp(a.data(), b.data(), a.size()) == 0);
}

// Again encodes what was decoded; open bodies may go on behind what is known of them.
template <typename Message>
void Again(const std::optional<Message>& message, Bytes body, bool open = false) {
  if (!message) return;
  std::vector<uint8_t> buffer(kMaxMessage);
  Writer writer(buffer);
  Encode(*message, writer);
  Require(writer.ok() && writer.size() <= body.size());
  Require(Same(writer.written(), open ? body.first(writer.size()) : body));
}

void Page(Bytes body) {
  auto reader = CatalogueReader::Open(body);
  if (!reader) return;
  std::vector<uint8_t> buffer(kMaxMessage);
  Writer writer(buffer);
  Encode(reader->page(), writer);
  while (const auto entry = reader->Next()) {
    Require(entry->mechanism_count <= kMaxMechanisms && !entry->id.empty());
    Encode(*entry, writer);
  }
  if (reader->ok()) Require(writer.ok() && Same(writer.written(), body));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  const auto frame = DecodeFrame({bytes, size});
  if (frame) {
    std::vector<uint8_t> buffer(kMaxMessage);
    FrameWriter writer(buffer, frame->header);
    writer.body().Raw(frame->body);
    Require(Same(Bytes(buffer).first(writer.Finish()), {bytes, size}));
  }
  // A body reaches every decoder, whatever the header says: the types are few, the bodies many.
  const Bytes body = frame ? frame->body : Bytes(bytes, size);
  Again(DecodeHello(body), body, true);
  Again(DecodeHelloReply(body), body, true);
  Again(DecodeCatalogueRequest(body), body);
  Again(DecodeSignRequest(body), body);
  Again(DecodeSignReply(body), body);
  Again(DecodeFailure(body), body);
  Again(DecodeAdminRequest(body), body);
  Again(DecodeAdminReply(body), body);
  Again(DecodeTokenStatus(body), body);
  Again(DecodeUnlockRequest(body), body);
  Page(body);
  return 0;
}
