#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace keybroker::cli {

// Fault is what kept a handshake from being made: a closed set, whose words (FaultWord) --json
// shows.
enum class Fault {
  kNothingListens,   // the port refuses connections
  kUnreachable,      // any other failure to connect
  kSilent,           // nothing came for the time that a handshake has
  kClosed,           // the server ended the connection
  kFlood,            // more bytes came than a handshake has
  kNotTls,           // what came is not TLS
  kNoStartTls,       // the server speaks the protocol, and declines STARTTLS
  kStartTlsBroken,   // what came is not the protocol
  kVersionRefused,   // the server has another version of TLS only
  kRefused,          // the server ended the handshake with an alert
  kHandshakeBroken,  // this side found the server's handshake wrong
};

std::string_view FaultWord(Fault fault);

// IsOfServer tells whether the fault is that of the server as a whole, so that further handshakes
// would only meet it again.
bool IsOfServer(Fault fault);

// Problem is one fault and the sentence for it: what happened and, where that alone says it, what
// to do. text may hold what the peer sent.
struct Problem {
  Fault fault;
  std::string text;
  int alert = -1;  // TLS's number (RFC 8446 section 6), with kRefused and kVersionRefused
};

// Attempt is a T, or the Problem with the peer that prevented it.
template <typename T>
using Attempt = tl::expected<T, Problem>;

inline tl::unexpected<Problem> Failed(Fault fault, std::string text, int alert = -1) {
  return tl::unexpected<Problem>(Problem{fault, std::move(text), alert});
}

// Excerpt is the printable beginning of what a peer sent, for a message.
std::string Excerpt(std::string_view bytes);

}  // namespace keybroker::cli
