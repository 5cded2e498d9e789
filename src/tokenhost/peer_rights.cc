#include "tokenhost/peer_rights.h"

#include <unistd.h>

#include "keybroker/base/process.h"

namespace keybroker::tokenhost {

bool PeerRights::May(uid_t uid, wire::MessageType type) const {
  switch (type) {
    case wire::MessageType::kHello:
    case wire::MessageType::kCatalogueRequest:
    case wire::MessageType::kSignRequest:
      return uid == broker;
    case wire::MessageType::kUnlockRequest:
    case wire::MessageType::kBorrowRequest:
      return uid == 0 || uid == token;
    case wire::MessageType::kTokenStatusRequest:
      return MayConnect(uid);
    default:
      return false;
  }
}

Result<Users> ResolveUsers(const config::Settings& settings) {
  const uid_t self = ::geteuid();
  const auto token = FindUser(settings.token_user);
  if (self != 0 && (!token || token->uid != self)) {
    return Users{self, ::getegid(), self, ::getegid(), false};
  }
  const std::string hint = settings.file.string() + ": [users]: ";
  if (!token)
    return Fail(NotFound(hint + token.error().detail + "; create it (scripts/setup does)"));
  const auto broker = FindUser(settings.broker_user);
  if (!broker) {
    return Fail(NotFound(hint + broker.error().detail + "; create it (scripts/setup does)"));
  }
  return Users{token->uid, token->gid, broker->uid, broker->gid, self == 0};
}

}  // namespace keybroker::tokenhost
