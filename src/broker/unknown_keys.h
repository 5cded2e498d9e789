#pragma once

#include <string>
#include <vector>

#include "broker/view.h"

namespace keybroker::broker {

// WhyKeysAreUnknown says that it is not known what keys a token holds, why, and what ends that: a
// token that has never been read since its tokenhost started. Empty: they are known. A key that is
// missed may be there.
std::string WhyKeysAreUnknown(const TokenKeys& token);

// The same of all of them, joined by "; ".
std::string WhyKeysAreUnknown(const std::vector<TokenKeys>& tokens);

// WhyTokenIsAway says that a token signs nothing now, why, and what to do; empty: it may.
std::string WhyTokenIsAway(const TokenKeys& token);

}  // namespace keybroker::broker
