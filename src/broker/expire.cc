#include "broker/expire.h"

#include <array>
#include <string>

#include "broker/connection.h"
#include "broker/deed.h"
#include "keybroker/base/hex.h"
#include "keybroker/wire/frame.h"

namespace keybroker::broker {
namespace {

void Record(const Parked& parked, std::string_view result, const View& view, Auditor& auditor) {
  Deed deed = DeedOf(view, parked.sender);
  const auto frame = wire::DecodeFrame(parked.message);
  const auto request = frame ? wire::DecodeSignRequest(frame->body) : std::nullopt;
  const ViewKey* key = request ? view.Find(request->key) : nullptr;
  if (request) Describe(deed, *request, key);
  std::string asked_for;
  if (request && key == nullptr) deed.detail = asked_for = "key " + Hex(request->key);
  deed.decision = policy::ReasonName(policy::Reason::kGranted);  // or it would not wait
  deed.result = result;
  auditor.Refused("fail", deed);
}

}  // namespace

void Expire(const Parked& parked, std::string_view result, const Snapshot& snapshot,
            Auditor& auditor, EventSet& events) {
  Connection& connection = *parked.connection;
  connection.listener->failed.fetch_add(1);
  // A listener that was removed meanwhile has no view: its connections are ending anyway.
  const auto view = snapshot.views.find(connection.listener.get());
  if (view != snapshot.views.end()) Record(parked, result, *view->second, auditor);
  std::array<uint8_t, 64> buffer;
  wire::FrameWriter frame(buffer,
                          {wire::MessageType::kFailure, connection.version, parked.request_id});
  wire::Encode(wire::Failure{ErrorCode::kUnavailable, 0}, frame.body());
  const size_t size = frame.Finish();
  const ssize_t sent =
      ::send(connection.fd.get(), buffer.data(), size, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent == static_cast<ssize_t>(size)) {
    events.Arm(connection);
  } else {
    events.Close(&connection);
  }
}

}  // namespace keybroker::broker
