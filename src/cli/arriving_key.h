#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/answer.h"
#include "cli/challenge.h"
#include "cli/token_access.h"
#include "keybroker/config/settings.h"
#include "keybroker/credential/certificate.h"
#include "keybroker/token/key_pair.h"

namespace keybroker::cli {

// ArrivingKey is a key that a file brings onto a token, by a restore or an import.
struct ArrivingKey {
  std::string name;
  cryptoki::KeyType type = cryptoki::KeyType::kEc;
  std::vector<uint8_t> id;                     // CKA_ID
  std::vector<uint8_t> spki;                   // DER
  std::vector<credential::Certificate> chain;  // leaf first; empty: none
  bool exportable = false;                     // what is asked for
};

// ArrivalWords are what the two ways are called: "restored", "backup"; "imported", "file".
struct ArrivalWords {
  const char* done;
  const char* source;
};

// KeyMaker makes the key pair on the token and proves it, or leaves the token as it was.
using KeyMaker = std::function<Result<token::KeyPair>(LoggedIn& token)>;

// IsOnToken tells whether something is there already that ArriveOnToken will look into; its errors
// are those of ArriveOnToken.
Result<bool> IsOnToken(LoggedIn& token, const ArrivingKey& key);

// ArriveOnToken makes pair and certificate, or nothing; a key that is there already is compared and
// left alone, but that a certificate is written where one cut off before it left none. Conflict
// when it is there under another name. What it finds holds while the command has the lock of
// Change. Gives the fields key, present, completed, removed (what a
// killed command had left, which is cleared first), differences and others (ids of the generations
// there were), and signature, by the key that is there then, which CheckArrived verifies.
Result<Json> ArriveOnToken(LoggedIn& token, const ArrivingKey& key, const Challenge& challenge,
                           const KeyMaker& make);

// CheckArrived verifies, in the command's own process, that the outcome has a signature of the
// challenge by that key: TokenFailed where a vendor's module lies.
Status CheckArrived(const Json& outcome, const ArrivingKey& key, const Challenge& challenge);

// ArrivalText tells that outcome.
std::string ArrivalText(const Json& outcome, const ArrivingKey& key, const std::string& token,
                        const ArrivalWords& words);

// RemovedNotes tells what was cleared away.
std::vector<std::string> RemovedNotes(const Json& outcome);

}  // namespace keybroker::cli
