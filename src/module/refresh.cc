#include "module/refresh.h"

#include <stdlib.h>

#include "module/clock.h"
#include "module/exchange.h"
#include "module/limits.h"

namespace keybroker::module {
namespace {

// A catalogue that changes under every page is a broker that cannot make up its mind.
constexpr int kMaxRestarts = 8;

constexpr size_t kRequestSize = wire::kHeaderSize + 12;

// Fetch is one catalogue on its way.
class Fetch {
 public:
  Fetch(const Call& call, bool keys_needed) : call_(call), keys_needed_(keys_needed) {
    const Hold hold(call.process().mutex);
    known_.Reset(call.process().view.Latest());
  }

  // Run asks until the catalogue is whole, or known to be unchanged.
  CK_RV Run() {
    void* buffer = malloc(wire::kMaxMessage);
    if (buffer == nullptr) return CKR_HOST_MEMORY;
    const std::span<uint8_t> room(static_cast<uint8_t*>(buffer), wire::kMaxMessage);
    const uint64_t until_ms = NowMs() + kRefreshTimeoutMs;
    CK_RV rv = CKR_OK;
    while (rv == CKR_OK && !done_) {
      rv = NowMs() < until_ms ? AskForPage(room) : CK_RV{CKR_DEVICE_ERROR};
    }
    free(buffer);
    return rv == CKR_OK ? rv_ : rv;
  }

 private:
  CK_RV AskForPage(std::span<uint8_t> room) {
    const size_t size = WriteRequest();
    return Ask(call_, {{message_, size},
                       room,
                       wire::MessageType::kCataloguePage,
                       this,
                       [](void* self, wire::Bytes body) {
                         return static_cast<Fetch*>(self)->Accept(body);
                       },
                       [](void* self) { return static_cast<Fetch*>(self)->IsAnswered(); }});
  }

  // From behind the last entry: of the generation we have that is an empty page.
  size_t WriteRequest() {
    wire::CatalogueRequest request{0, 0};
    if (const Catalogue* have = building_ ? building_.get() : known_.get()) {
      request = {have->generation(), have->received()};
    }
    wire::FrameWriter frame(message_, {wire::MessageType::kCatalogueRequest});
    wire::Encode(request, frame.body());
    return frame.Finish();
  }

  // What was built does not go with what came: Ask, which is told that the answer was malformed,
  // is to ask for the first page now.
  bool StartAnew() {
    building_.Reset();
    known_.Reset();
    WriteRequest();
    return false;
  }

  // Hello has told the generation: nothing to fetch when it is that of the catalogue we have.
  bool IsAnswered() {
    if (building_) return false;
    const Hold hold(call_.process().mutex);
    CatalogueHold current;
    current.Reset(call_.process().view.Current());
    done_ = current || !keys_needed_;
    return done_;
  }

  bool Accept(wire::Bytes body) {
    const auto reader = wire::CatalogueReader::Open(body);
    if (!reader) return StartAnew();
    const wire::CataloguePage& page = reader->page();
    if (!building_ && known_ && page.generation == known_->generation()) {
      if (page.total != known_->total() || page.first != page.total) return StartAnew();
      Note(page);
      done_ = true;
      return true;
    }
    if (!building_ || page.generation != building_->generation()) {
      if (page.first != 0 || ++restarts_ > kMaxRestarts) return StartAnew();
      building_.Reset(Catalogue::Make(page));
      if (!building_) return NoMemory();
    }
    return Add(page, body);
  }

  bool Add(const wire::CataloguePage& page, wire::Bytes body) {
    switch (building_.get()->Add(body)) {
      case Catalogue::Added::kMalformed:
        return StartAnew();
      case Catalogue::Added::kNoMemory:
        return NoMemory();
      case Catalogue::Added::kMore:
        return true;
      case Catalogue::Added::kWhole:
        break;
    }
    Note(page);
    done_ = true;
    return true;
  }

  void Note(const wire::CataloguePage& page) {
    CatalogueHold old;
    Process& process = call_.process();
    const Hold hold(process.mutex);
    process.view.NotePage(page.generation, page.token_present, NowMs());
    if (!building_) return;
    building_.get()->Take();
    old.Reset(process.view.Replace(building_.get()));
  }

  bool NoMemory() {
    rv_ = CKR_HOST_MEMORY;
    done_ = true;
    return true;
  }

  const Call& call_;
  const bool keys_needed_;
  uint8_t message_[kRequestSize];
  CatalogueHold known_;
  CatalogueHold building_;
  int restarts_ = 0;
  bool done_ = false;
  CK_RV rv_ = CKR_OK;
};

// True when what is known will do; with a catalogue where one is needed.
bool WillDo(const Call& call, Need need, CatalogueHold* catalogue, uint64_t search) {
  Process& process = call.process();
  const Hold hold(process.mutex);
  if (!process.view.IsFresh(NowMs())) return false;
  if (need == Need::kPresence) return process.pool.HasLiveIdle();
  catalogue->Reset(process.view.Current());
  if (!*catalogue) return false;
  return need != Need::kNewKeys || process.view.UseUp(search);
}

}  // namespace

CK_RV Refresh(const Call& call, Need need, CatalogueHold* catalogue, uint64_t search, bool* asked) {
  const bool will_do = WillDo(call, need, catalogue, search);
  if (asked != nullptr) *asked = !will_do;
  if (will_do) return CKR_OK;
  catalogue->Reset();
  Fetch fetch(call, need != Need::kPresence);
  const CK_RV rv = fetch.Run();
  if (rv != CKR_OK || need == Need::kPresence) return rv;
  Process& process = call.process();
  const Hold hold(process.mutex);
  if (need == Need::kNewKeys) process.view.UseUp(search);
  catalogue->Reset(process.view.Latest());
  return CKR_OK;
}

CK_RV FindObject(const Call& call, CK_OBJECT_HANDLE handle, CatalogueHold* catalogue,
                 Object* object) {
  {
    const Hold hold(call.process().mutex);
    catalogue->Reset(call.process().view.Latest());
  }
  if (*catalogue) *object = (*catalogue)->Find(handle);
  if (object->key != nullptr) return CKR_OK;
  const CK_RV rv = Refresh(call, *catalogue ? Need::kNewKeys : Need::kKeys, catalogue);
  if (rv != CKR_OK) return rv;
  if (*catalogue) *object = (*catalogue)->Find(handle);
  return CKR_OK;
}

}  // namespace keybroker::module
