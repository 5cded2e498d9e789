#include "cli/listener_check/problem.h"

namespace keybroker::cli {

std::string_view FaultWord(Fault fault) {
  switch (fault) {
    case Fault::kNothingListens:
      return "nothing-listens";
    case Fault::kUnreachable:
      return "unreachable";
    case Fault::kSilent:
      return "silent";
    case Fault::kClosed:
      return "closed";
    case Fault::kFlood:
      return "flood";
    case Fault::kNotTls:
      return "not-tls";
    case Fault::kNoStartTls:
      return "no-starttls";
    case Fault::kStartTlsBroken:
      return "starttls-broken";
    case Fault::kVersionRefused:
      return "version-refused";
    case Fault::kRefused:
      return "refused";
    case Fault::kHandshakeBroken:
      return "handshake-broken";
  }
  return "unknown";
}

bool IsOfServer(Fault fault) {
  switch (fault) {
    case Fault::kClosed:
    case Fault::kVersionRefused:
    case Fault::kRefused:
    case Fault::kHandshakeBroken:
      return false;
    default:
      return true;
  }
}

std::string Excerpt(std::string_view bytes) {
  constexpr size_t kMost = 100;
  std::string text;
  for (const char c : bytes.substr(0, kMost)) {
    if (c == '\r' || c == '\n') break;
    text += c >= ' ' && c <= '~' ? c : '?';
  }
  return text;
}

}  // namespace keybroker::cli
