#include "module/exchange.h"

#include "keybroker/wire/sign.h"
#include "module/clock.h"
#include "module/connect.h"
#include "module/failure.h"

namespace keybroker::module {
namespace {

// Losses bounds how often a request is repeated: a broker that ends every connection over it is
// none. The process has one budget until a request is answered; the call has its own besides, since
// others may be answered all the while.
class Losses {
 public:
  bool MayRepeat(Process& process) {
    const uint64_t now = NowMs();
    {
      const Hold hold(process.mutex);
      if (process.losses.Notice(now)) return false;
    }
    if (until_ms_ == 0) {
      until_ms_ = now + kUnavailableBudgetMs;
      return true;
    }
    if (now >= until_ms_) return false;
    backoff_.Wait(until_ms_);
    return true;
  }

 private:
  uint64_t until_ms_ = 0;
  Backoff backoff_;
};

// An idle connection, or a new one.
CK_RV CheckOut(const Call& call, Connection** connection) {
  Process& process = call.process();
  {
    const Hold hold(process.mutex);
    *connection = process.pool.TakeIdle();
  }
  return *connection != nullptr ? CKR_OK : Connect(call, connection);
}

// The answer's CK_RV in rv; false when the reply is malformed.
bool TakeReply(const Exchange& exchange, const wire::Frame& reply, CK_RV* rv) {
  *rv = CKR_OK;
  if (reply.header.type == exchange.reply) return exchange.accept(exchange.self, reply.body);
  if (reply.header.type != wire::MessageType::kFailure) return false;
  const auto failure = wire::DecodeFailure(reply.body);
  if (!failure) return false;
  *rv = FailureRv(*failure);
  return true;
}

void GiveBack(const Call& call, Connection& connection, bool replied) {
  Process& process = call.process();
  const Hold hold(process.mutex);
  if (replied) process.losses.End();
  if (call.alive()) {
    process.pool.Return(connection);
  } else {
    process.pool.Drop(connection);
  }
}

// A broker that restarted has ended all connections that were idle, too.
void GiveUp(const Call& call, Connection& connection, bool silent) {
  Process& process = call.process();
  const Hold hold(process.mutex);
  const bool was_reused = connection.reused;
  process.pool.Drop(connection);
  if (silent && call.alive()) process.outage.Trip();
  if (silent || was_reused) process.pool.DropIdle();
}

}  // namespace

CK_RV Ask(const Call& call, const Exchange& exchange) {
  Losses losses;
  for (;;) {
    if (!call.alive()) return CKR_CRYPTOKI_NOT_INITIALIZED;
    Connection* connection;
    CK_RV rv = CheckOut(call, &connection);
    if (rv != CKR_OK) return rv;
    if (exchange.answered != nullptr && !connection->reused && exchange.answered(exchange.self)) {
      GiveBack(call, *connection, false);
      return CKR_OK;
    }
    wire::Frame reply{};
    const Turn turn = TakeTurn(*connection, exchange.message, kReplyTimeoutMs + kReplyGraceMs,
                               exchange.buffer, &reply);
    if (turn == Turn::kReplied && TakeReply(exchange, reply, &rv)) {
      GiveBack(call, *connection, true);
      return rv;
    }
    const bool silent = turn == Turn::kSilent;
    GiveUp(call, *connection, silent);
    if (!call.alive()) return CKR_CRYPTOKI_NOT_INITIALIZED;
    if (silent || !losses.MayRepeat(call.process())) return CKR_DEVICE_ERROR;
  }
}

}  // namespace keybroker::module
