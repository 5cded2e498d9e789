#include <algorithm>
#include <charconv>
#include <chrono>

#include "audit/line.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/utf8.h"

namespace keybroker::audit {
namespace {

constexpr char kDigits[] = "0123456789abcdef";

void AppendNumber(uint64_t value, std::string* out) {
  char text[20];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  out->append(text, end);
}

void AppendPadded(uint64_t value, size_t width, std::string* out) {
  char text[20];
  for (size_t i = width; i > 0; --i) {
    text[i - 1] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  out->append(text, width);
}

void AppendHex(const Hash& hash, std::string* out) {
  char text[64];
  for (size_t i = 0; i < hash.size(); ++i) {
    text[2 * i] = kDigits[hash[i] >> 4];
    text[2 * i + 1] = kDigits[hash[i] & 15];
  }
  out->append(text, sizeof text);
}

void AppendUnicodeEscape(unsigned byte, std::string* out) {
  out->append("\\u00");
  out->push_back(kDigits[byte >> 4]);
  out->push_back(kDigits[byte & 15]);
}

bool IsPlain(char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

// AppendEscaped keeps a line one line of valid UTF-8, and a terminal from obeying it: control
// characters (C0, DEL and C1) are escaped, and a byte that is no UTF-8 becomes U+FFFD.
void AppendEscaped(std::string_view text, std::string* out) {
  while (!text.empty()) {
    // Nearly every text is plain from end to end: it goes over in one piece.
    const auto plain =
        static_cast<size_t>(std::find_if_not(text.begin(), text.end(), IsPlain) - text.begin());
    out->append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) return;
    const auto byte = static_cast<unsigned char>(text[0]);
    const size_t length = Utf8Sequence(text);
    if (byte == '"' || byte == '\\') {
      out->push_back('\\');
      out->push_back(text[0]);
    } else if (length == 1) {
      AppendUnicodeEscape(byte, out);
    } else if (length == 2 && byte == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0) {
      AppendUnicodeEscape(static_cast<unsigned char>(text[1]), out);
    } else if (length == 0) {
      out->append("\\ufffd");
    } else {
      out->append(text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
}

void AppendText(std::string_view name, std::string_view text, std::string* out) {
  out->append(",\"").append(name).append("\":\"");
  AppendEscaped(text.substr(0, kMaxField), out);
  if (text.size() > kMaxField) out->append("...");
  out->push_back('"');
}

void AppendField(std::string_view name, uint64_t value, std::string* out) {
  out->append(",\"").append(name).append("\":");
  AppendNumber(value, out);
}

}  // namespace

std::string TornDetail(uint64_t size, const Hash& hash) {
  return "torn line: " + std::to_string(size) + " bytes, SHA-256 " + Hex(hash);
}

void AppendTime(int64_t seconds, int64_t nanoseconds, std::string* out) {
  const std::chrono::sys_seconds time{std::chrono::seconds(seconds)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const auto in_day = static_cast<uint64_t>((time - day).count());
  AppendPadded(static_cast<uint64_t>(static_cast<int>(date.year())), 4, out);
  out->push_back('-');
  AppendPadded(static_cast<unsigned>(date.month()), 2, out);
  out->push_back('-');
  AppendPadded(static_cast<unsigned>(date.day()), 2, out);
  out->push_back('T');
  AppendPadded(in_day / 3600, 2, out);
  out->push_back(':');
  AppendPadded(in_day / 60 % 60, 2, out);
  out->push_back(':');
  AppendPadded(in_day % 60, 2, out);
  out->push_back('.');
  AppendPadded(static_cast<uint64_t>(nanoseconds), 9, out);
  out->push_back('Z');
}

void AppendPrefix(uint64_t sequence, int64_t seconds, int64_t nanoseconds, const Event& event,
                  const Hash& previous, std::string* out) {
  out->append("{\"seq\":");
  AppendNumber(sequence, out);
  out->append(",\"time\":\"");
  AppendTime(seconds, nanoseconds, out);
  out->push_back('"');
  AppendText("action", event.action, out);
  AppendText("subject", event.subject, out);
  AppendField("uid", event.uid, out);
  AppendField("pid", event.pid < 0 ? 0 : static_cast<uint64_t>(event.pid), out);
  AppendText("key", event.key, out);
  AppendText("key_id", event.key_id, out);
  AppendText("mechanism", event.mechanism, out);
  AppendText("decision", event.decision, out);
  AppendText("result", event.result, out);
  AppendField("count", event.count, out);
  AppendText("detail", event.detail, out);
  out->append(",\"prev\":\"");
  AppendHex(previous, out);
  out->push_back('"');
}

void AppendHash(const Hash& hash, std::string* out) {
  out->append(",\"hash\":\"");
  AppendHex(hash, out);
  out->append("\"}\n");
}

}  // namespace keybroker::audit
