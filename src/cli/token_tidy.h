#pragma once

#include "cli/answer.h"
#include "cli/token_access.h"
#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"

namespace keybroker::cli {

struct TidyOptions {
  TokenOptions token;
  bool yes = false;  // do not ask
};

// TidyToken removes from a token what a command that was killed left, after asking; "removed" lists
// it, empty when nothing was left.
Result<Answer> TidyToken(const config::Settings& settings, const TidyOptions& options);

}  // namespace keybroker::cli
