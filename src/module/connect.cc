#include "module/connect.h"

#include <unistd.h>

#include "keybroker/wire/hello.h"
#include "keybroker/wire/sign.h"
#include "module/clock.h"
#include "module/failure.h"

namespace keybroker::module {
namespace {

constexpr size_t kHelloSize = wire::kHeaderSize + 4;
// HelloReply may grow in later versions; what follows the known fields is ignored.
constexpr size_t kHelloReplyRoom = 4096;

enum class Attempt : uint8_t { kGreeted, kNobody, kFailed, kRefused, kSilent };

Attempt ReadGreeting(const wire::Frame& reply, wire::HelloReply* hello, CK_RV* rv) {
  if (reply.header.type == wire::MessageType::kFailure) {
    const auto failure = wire::DecodeFailure(reply.body);
    if (!failure) return Attempt::kFailed;
    *rv = FailureRv(*failure);
    return Attempt::kRefused;
  }
  if (reply.header.type != wire::MessageType::kHelloReply) return Attempt::kFailed;
  const auto decoded = wire::DecodeHelloReply(reply.body);
  if (!decoded || decoded->version < wire::kMinVersion || decoded->version > wire::kVersion) {
    return Attempt::kFailed;
  }
  *hello = *decoded;
  return Attempt::kGreeted;
}

// Hello and its answer. The header says version 0 in both.
Attempt Greet(const Call& call, Connection& connection, uint64_t timeout_ms, CK_RV* rv) {
  uint8_t message[kHelloSize];
  wire::FrameWriter frame(message, {wire::MessageType::kHello, 0, 0});
  wire::Encode(wire::Hello{wire::kMinVersion, wire::kVersion}, frame.body());
  const size_t size = frame.Finish();
  uint8_t buffer[kHelloReplyRoom];
  wire::Frame reply{};
  const Turn turn = TakeTurn(connection, {message, size}, timeout_ms, buffer, &reply);
  if (turn == Turn::kSilent) return Attempt::kSilent;
  if (turn == Turn::kLost) return Attempt::kFailed;
  wire::HelloReply hello{};
  const Attempt attempt = ReadGreeting(reply, &hello, rv);
  if (attempt != Attempt::kGreeted) return attempt;
  connection.version = hello.version;
  Process& process = call.process();
  const Hold hold(process.mutex);
  process.view.NoteHello(hello, NowMs());
  return Attempt::kGreeted;
}

// Enters the descriptor where C_Finalize sees it, unless C_Finalize was there already.
bool Enter(const Call& call, Connection& connection, int fd) {
  const Hold hold(call.process().mutex);
  return call.alive() && Pool::Give(connection, fd);
}

Attempt TryOnce(const Call& call, Connection& connection, uint64_t timeout_ms, CK_RV* rv) {
  char path[kMaxSocketPath + 1];
  {
    const Hold hold(call.process().mutex);
    memcpy(path, call.process().path.path(), sizeof path);
  }
  const int fd = OpenSocket(path);
  if (fd < 0) return Attempt::kNobody;
  if (!Enter(call, connection, fd)) {
    close(fd);
    return Attempt::kFailed;
  }
  return Greet(call, connection, timeout_ms, rv);
}

// What an attempt says about the outage. True when to try once more.
bool NoteAttempt(const Call& call, Attempt attempt, CK_RV* rv, uint64_t* until_ms) {
  Process& process = call.process();
  const Hold hold(process.mutex);
  if (!call.alive()) {
    *rv = CKR_CRYPTOKI_NOT_INITIALIZED;
    return false;
  }
  switch (attempt) {
    case Attempt::kGreeted:
      process.path.Settle();
      process.outage.End();
      *rv = CKR_OK;
      return false;
    case Attempt::kRefused:
      process.outage.End();
      return false;
    case Attempt::kSilent:
      process.outage.Trip();
      *rv = CKR_DEVICE_ERROR;
      return false;
    case Attempt::kNobody:
      process.outage.NobodyListens();
      break;
    case Attempt::kFailed:
      break;
  }
  *rv = CKR_DEVICE_ERROR;
  if (process.outage.Notice(NowMs())) return false;
  *until_ms = process.outage.until_ms();
  return true;
}

}  // namespace

CK_RV Connect(const Call& call, Connection** connection) {
  Process& process = call.process();
  Backoff backoff;
  for (;;) {
    uint64_t timeout_ms = 0;
    {
      const Hold hold(process.mutex);
      *connection = process.pool.NewBusy();
      timeout_ms = process.outage.GreetingMs(NowMs());
    }
    if (*connection == nullptr) return CKR_HOST_MEMORY;
    CK_RV rv = CKR_DEVICE_ERROR;
    uint64_t until_ms = 0;
    const Attempt attempt = TryOnce(call, **connection, timeout_ms, &rv);
    const bool again = NoteAttempt(call, attempt, &rv, &until_ms);
    if (rv == CKR_OK) return CKR_OK;
    {
      const Hold hold(process.mutex);
      process.pool.Drop(**connection);
    }
    if (!again) return rv;
    backoff.Wait(until_ms);
  }
}

}  // namespace keybroker::module
