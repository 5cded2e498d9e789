#include "cli/listener_check/starttls.h"

#include "cli/answer.h"

#include <algorithm>
#include <cctype>
#include <string>

namespace keybroker::cli {
namespace {

constexpr size_t kLongestLine = 4096;
// Greeting and answers together; an SMTP greeting may have many lines.
constexpr int kMostLines = 100;

// Dialogue reads a server's lines, none of them longer than kLongestLine, kMostLines in all.
class Dialogue {
 public:
  explicit Dialogue(Connection& connection) : connection_(connection) {}

  Attempt<void> Say(std::string_view line) { return connection_.Send(std::string(line) + "\r\n"); }

  Attempt<std::string> Line() {
    if (++lines_ > kMostLines) {
      return Failed(Fault::kFlood, "the server sent more than " + std::to_string(kMostLines) +
                                       " lines before TLS");
    }
    size_t end = 0;
    while ((end = pending_.find('\n')) == std::string::npos) {
      if (pending_.size() > kLongestLine) {
        return Failed(Fault::kFlood, "the server sent a line of more than " +
                                         std::to_string(kLongestLine) + " bytes before TLS");
      }
      auto more = connection_.Receive();
      if (!more) return tl::unexpected<Problem>(std::move(more.error()));
      pending_ += *more;
    }
    std::string line = pending_.substr(0, end);
    pending_.erase(0, end + 1);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    return line;
  }

  // Ended is to be asked after the server's consent.
  Attempt<void> Ended() const {
    if (pending_.empty()) return {};
    return Failed(Fault::kStartTlsBroken, "the server sent \"" + Excerpt(pending_) +
                                              "\" in the clear after it had agreed to TLS");
  }

 private:
  Connection& connection_;
  std::string pending_;
  int lines_ = 0;
};

Attempt<void> Unexpected(const std::string& line, const char* protocol) {
  return Failed(Fault::kStartTlsBroken, "the server answered \"" + Excerpt(line) +
                                            "\", which is not " + protocol +
                                            ": is --starttls right for this port?");
}

Attempt<void> Declined(const std::string& line) {
  return Failed(Fault::kNoStartTls, "the server declines STARTTLS: \"" + Excerpt(line) + "\"");
}

bool HasWord(std::string line, std::string_view word) {
  std::transform(line.begin(), line.end(), line.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return line.size() >= 4 && std::string_view(line).substr(4) == word;
}

// SmtpReply reads a reply of any number of lines (RFC 5321 section 4.2.1): its last line, with
// offers set when one of them is the word.
Attempt<std::string> SmtpReply(Dialogue& dialogue, std::string_view word, bool* offers) {
  for (;;) {
    auto line = dialogue.Line();
    if (!line) return line;
    if (offers != nullptr && HasWord(*line, word)) *offers = true;
    if (line->size() < 4 || (*line)[3] != '-') return line;
  }
}

// Expect reads a reply that must begin with one of two words.
Attempt<void> Expect(Attempt<std::string> line, std::string_view good, std::string_view also,
                     const char* protocol) {
  if (!line) return tl::unexpected<Problem>(std::move(line.error()));
  if (line->starts_with(good) || line->starts_with(also)) return {};
  return Unexpected(*line, protocol);
}

Attempt<void> AskSmtp(Dialogue& dialogue) {
  if (auto greeted = Expect(SmtpReply(dialogue, "", nullptr), "220", "220", "SMTP's greeting");
      !greeted) {
    return greeted;
  }
  if (auto said = dialogue.Say("EHLO localhost"); !said) return said;
  bool offers = false;
  if (auto hello = Expect(SmtpReply(dialogue, "STARTTLS", &offers), "250", "250", "SMTP"); !hello) {
    return hello;
  }
  if (!offers) return Failed(Fault::kNoStartTls, "the server offers no STARTTLS");
  if (auto said = dialogue.Say("STARTTLS"); !said) return said;
  auto reply = SmtpReply(dialogue, "", nullptr);
  if (!reply) return tl::unexpected<Problem>(std::move(reply.error()));
  return reply->starts_with("220") ? Attempt<void>() : Declined(*reply);
}

Attempt<void> AskImap(Dialogue& dialogue) {
  if (auto greeted = Expect(dialogue.Line(), "* OK", "* OK", "IMAP's greeting"); !greeted) {
    return greeted;
  }
  if (auto said = dialogue.Say("kb1 STARTTLS"); !said) return said;
  for (;;) {
    auto line = dialogue.Line();
    if (!line) return tl::unexpected<Problem>(std::move(line.error()));
    if (line->starts_with("* ")) continue;  // untagged: anything the server wants to tell
    if (line->starts_with("kb1 OK")) return {};
    return line->starts_with("kb1 ") ? Declined(*line) : Unexpected(*line, "IMAP");
  }
}

// AskInOneWord is POP3 and NNTP: a greeting, a command, an answer.
Attempt<void> AskInOneWord(Dialogue& dialogue, std::string_view greeting, std::string_view also,
                           std::string_view command, std::string_view consent,
                           const char* protocol) {
  if (auto greeted = Expect(dialogue.Line(), greeting, also, protocol); !greeted) return greeted;
  if (auto said = dialogue.Say(command); !said) return said;
  auto line = dialogue.Line();
  if (!line) return tl::unexpected<Problem>(std::move(line.error()));
  return line->starts_with(consent) ? Attempt<void>() : Declined(*line);
}

Attempt<void> AskForTls(StartTls protocol, Dialogue& dialogue) {
  switch (protocol) {
    case StartTls::kNone:
      return {};
    case StartTls::kSmtp:
      return AskSmtp(dialogue);
    case StartTls::kImap:
      return AskImap(dialogue);
    case StartTls::kPop3:
      return AskInOneWord(dialogue, "+OK", "+OK", "STLS", "+OK", "POP3's greeting");
    case StartTls::kNntp:
      return AskInOneWord(dialogue, "200", "201", "STARTTLS", "382", "NNTP's greeting");
  }
  return {};
}

}  // namespace

Result<StartTls> ParseStartTls(std::string_view text) {
  if (text.empty() || text == "none") return StartTls::kNone;
  if (text == "smtp") return StartTls::kSmtp;
  if (text == "imap") return StartTls::kImap;
  if (text == "pop3") return StartTls::kPop3;
  if (text == "nntp") return StartTls::kNntp;
  return Fail(WrongUsage("\"" + std::string(text) +
                         "\" is not a protocol with STARTTLS: smtp, imap, pop3, nntp or none"));
}

Attempt<void> AskForTls(StartTls protocol, Connection& connection) {
  Dialogue dialogue(connection);
  if (auto asked = AskForTls(protocol, dialogue); !asked) return asked;
  return dialogue.Ended();
}

}  // namespace keybroker::cli
