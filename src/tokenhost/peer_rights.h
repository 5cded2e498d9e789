#pragma once

#include <sys/types.h>

#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"
#include "keybroker/wire/frame.h"

namespace keybroker::tokenhost {

// PeerRights says which uid may send what. Judged on the credentials of each message, since those
// of the connection are frozen at connect.
struct PeerRights {
  uid_t broker = 0;
  uid_t token = 0;

  // May: Hello, CatalogueRequest and SignRequest from the broker only; UnlockRequest and
  // BorrowRequest from root and the token user only; TokenStatusRequest from all three; anything
  // else from nobody.
  bool May(uid_t uid, wire::MessageType type) const;

  // MayConnect is true for a uid that may send anything at all.
  bool MayConnect(uid_t uid) const { return uid == 0 || uid == broker || uid == token; }
};

// Users are the accounts a tokenhost works with.
struct Users {
  uid_t token_uid = 0;  // who it runs as
  gid_t token_gid = 0;
  uid_t broker_uid = 0;  // whom it serves
  gid_t broker_gid = 0;
  bool become = false;  // started as root: become the token user

  PeerRights Rights() const { return {broker_uid, token_uid}; }
};

// ResolveUsers takes the configured accounts when started as root or as the token user. Started as
// anybody else, broker and tokenhost both run as that user. NotFound: an account is missing.
Result<Users> ResolveUsers(const config::Settings& settings);

}  // namespace keybroker::tokenhost
