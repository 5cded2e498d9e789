#include "audit/head_file.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>

#include "audit/line.h"
#include "keybroker/base/hex.h"

namespace keybroker::audit {
namespace {

constexpr size_t kNumberDigits = 20;

}  // namespace

std::filesystem::path HeadPath(const std::filesystem::path& file) {
  return std::filesystem::path(file.native() + ".head");
}

std::array<char, kHeadSize> HeadBytes(const Head& head) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::array<char, kHeadSize> text{};
  uint64_t number = head.sequence;
  for (size_t i = kNumberDigits; i > 0; --i) {
    text[i - 1] = static_cast<char>('0' + number % 10);
    number /= 10;
  }
  text[kNumberDigits] = ' ';
  char* hex = text.data() + kNumberDigits + 1;
  for (const uint8_t byte : head.hash) {
    *hex++ = kDigits[byte >> 4];
    *hex++ = kDigits[byte & 15];
  }
  *hex = '\n';
  return text;
}

std::string FormatHead(const Head& head) {
  const auto text = HeadBytes(head);
  return {text.data(), text.size()};
}

std::optional<Head> ParseHead(std::string_view text) {
  if (text.size() != kHeadSize) return std::nullopt;
  Head head;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + kNumberDigits, head.sequence);
  const auto hash = ParseHex(text.substr(kNumberDigits + 1, 64));
  if (error != std::errc() || end != text.data() + kNumberDigits || !hash) return std::nullopt;
  std::copy(hash->begin(), hash->end(), head.hash.begin());
  if (head.sequence > kMaxSequence || FormatHead(head) != text) return std::nullopt;
  return head;
}

std::optional<Head> ReadHead(int fd) {
  char text[kHeadSize + 1];
  const ssize_t n = ::pread(fd, text, sizeof text, 0);
  if (n < 0) return std::nullopt;
  return ParseHead({text, static_cast<size_t>(n)});
}

Status WriteHead(int fd, const Head& head) {
  const auto text = HeadBytes(head);
  const ssize_t n = ::pwrite(fd, text.data(), text.size(), 0);
  if (n == static_cast<ssize_t>(text.size())) return {};
  return Fail(SystemError("cannot write the audit log's head file", n < 0 ? errno : ENOSPC));
}

}  // namespace keybroker::audit
