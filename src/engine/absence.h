#pragma once

#include <string>

#include "keybroker/cryptoki/cryptoki.h"

namespace keybroker::engine {

// RaiseAbsence raises why the module shows no usable token: call gave rv (CKR_OK: it listed no
// slot with a token). The module has one answer for all causes, so the listener's socket is asked:
// kBrokerAway when nothing listens there, kListenerRefused when this process may not connect or rv
// is a refusal, else kTokenAway. An empty socket (the module's own choice) cannot be asked. False.
bool RaiseAbsence(const std::string& socket, const char* call, CK_RV rv);

// RaiseNoSignature raises why a key that was there did not sign: kListenerRefused when rv is a
// refusal, an absence as above, else kNoSignature. False.
bool RaiseNoSignature(const std::string& socket, CK_RV rv);

}  // namespace keybroker::engine
