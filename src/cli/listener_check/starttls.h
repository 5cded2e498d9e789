#pragma once

#include <string_view>

#include "cli/listener_check/connection.h"
#include "cli/listener_check/problem.h"
#include "keybroker/base/result.h"

namespace keybroker::cli {

// StartTls is the protocol in which a server is asked for TLS; kNone: TLS from the first byte.
enum class StartTls { kNone, kSmtp, kImap, kPop3, kNntp };

// ParseStartTls reads smtp, imap, pop3 or nntp; none, or nothing, is kNone.
Result<StartTls> ParseStartTls(std::string_view text);

// AskForTls speaks the protocol until the server's next byte is TLS: SMTP by RFC 3207, IMAP by
// RFC 9051 section 6.2.1, POP3 by RFC 2595, NNTP by RFC 4642. A byte in the clear behind the
// server's consent is a fault: whoever sent it could speak inside TLS without it.
Attempt<void> AskForTls(StartTls protocol, Connection& connection);

}  // namespace keybroker::cli
