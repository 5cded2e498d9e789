#include <algorithm>
#include <charconv>

#include "audit/line.h"
#include "keybroker/base/utf8.h"

namespace keybroker::audit {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHex(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f'); }

// Cursor walks over one line; the first thing that is not as written fails it for good.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  void Literal(std::string_view literal) {
    if (ok_ && text_.substr(position_).starts_with(literal)) {
      position_ += literal.size();
    } else {
      ok_ = false;
    }
  }

  // Number takes an unsigned decimal without leading zeros.
  uint64_t Number() {
    size_t end = position_;
    while (end < text_.size() && IsDigit(text_[end])) ++end;
    const std::string_view digits = text_.substr(position_, end - position_);
    uint64_t value = 0;
    const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    ok_ = ok_ && error == std::errc() && !digits.empty() &&
          (digits[0] != '0' || end - position_ == 1);
    position_ = end;
    return ok_ ? value : 0;
  }

  // Text takes a string up to its closing quote, as it is escaped.
  std::string_view Text() {
    const size_t begin = position_;
    while (ok_ && position_ < text_.size() && text_[position_] != '"') Character();
    const std::string_view text = text_.substr(begin, position_ - begin);
    Literal("\"");
    return ok_ ? text : std::string_view();
  }

  Hash Digest() {
    Hash hash{};
    for (uint8_t& byte : hash) byte = static_cast<uint8_t>(Digit() << 4 | Digit());
    return hash;
  }

  size_t position() const { return position_; }
  bool Done() const { return ok_ && position_ == text_.size(); }

 private:
  unsigned Digit() {
    ok_ = ok_ && position_ < text_.size() && IsHex(text_[position_]);
    if (!ok_) return 0;
    const char c = text_[position_++];
    return static_cast<unsigned>(IsDigit(c) ? c - '0' : c - 'a' + 10);
  }

  void Character() {
    if (text_[position_] == '\\') return Escape();
    const size_t length = Utf8Sequence(text_.substr(position_));
    const auto byte = static_cast<unsigned char>(text_[position_]);
    ok_ = length != 0 && byte >= 0x20 && byte != 0x7f;
    position_ += length;
  }

  // The three escapes that are ever written: a quote or backslash, a control character, U+FFFD.
  void Escape() {
    const std::string_view rest = text_.substr(position_ + 1);
    if (rest.starts_with('"') || rest.starts_with('\\')) {
      position_ += 2;
    } else if (rest.starts_with("ufffd")) {
      position_ += 6;
    } else if (rest.size() >= 5 && rest.starts_with("u00") && IsHex(rest[3]) && IsHex(rest[4])) {
      position_ += 6;
    } else {
      ok_ = false;
    }
  }

  std::string_view text_;
  size_t position_ = 0;
  bool ok_ = true;
};

bool IsTime(std::string_view text) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00.000000000Z";
  return text.size() == kShape.size() &&
         std::equal(text.begin(), text.end(), kShape.begin(),
                    [](char c, char shape) { return shape == '0' ? IsDigit(c) : c == shape; });
}

}  // namespace

std::optional<Line> ParseLine(std::string_view text) {
  Cursor cursor(text);
  Line line;
  const auto skip_text = [&cursor](std::string_view name) {
    cursor.Literal(name);
    return cursor.Text();
  };
  cursor.Literal("{\"seq\":");
  line.sequence = cursor.Number();
  line.time = skip_text(",\"time\":\"");
  line.action = skip_text(",\"action\":\"");
  skip_text(",\"subject\":\"");
  cursor.Literal(",\"uid\":");
  cursor.Number();
  cursor.Literal(",\"pid\":");
  cursor.Number();
  skip_text(",\"key\":\"");
  skip_text(",\"key_id\":\"");
  skip_text(",\"mechanism\":\"");
  skip_text(",\"decision\":\"");
  skip_text(",\"result\":\"");
  cursor.Literal(",\"count\":");
  cursor.Number();
  line.detail = skip_text(",\"detail\":\"");
  cursor.Literal(",\"prev\":\"");
  line.previous = cursor.Digest();
  cursor.Literal("\"");
  line.prefix = text.substr(0, std::min(cursor.position(), text.size()));
  cursor.Literal(",\"hash\":\"");
  line.hash = cursor.Digest();
  cursor.Literal("\"}");
  if (!cursor.Done() || line.sequence == 0 || line.sequence > kMaxSequence || !IsTime(line.time)) {
    return std::nullopt;
  }
  return line;
}

}  // namespace keybroker::audit
