#include "cli/child_channel.h"

#include <sys/socket.h>
#include <sys/types.h>

#include <cerrno>
#include <cstdint>
#include <span>
#include <utility>

#include "keybroker/cryptoki/cryptoki.h"

namespace keybroker::cli {
namespace {

constexpr size_t kMaxResult = 16 << 20;
constexpr uint32_t kMaxSecret = 1 << 20;  // a whole key file

bool SendAll(int fd, std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return true;
}

bool ReceiveAll(int fd, std::span<uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::recv(fd, bytes.data(), bytes.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return true;
}

}  // namespace

bool SendSecret(int fd, const Secret& secret) {
  const auto size = static_cast<uint32_t>(secret.size());
  const auto* bytes = reinterpret_cast<const uint8_t*>(&size);
  return SendAll(fd, {bytes, sizeof size}) && SendAll(fd, secret.Expose());
}

Result<std::vector<Secret>> ReceiveSecrets(int fd, size_t count) {
  std::vector<Secret> secrets;
  for (size_t i = 0; i < count; ++i) {
    uint32_t size = 0;
    if (!ReceiveAll(fd, {reinterpret_cast<uint8_t*>(&size), sizeof size}) || size > kMaxSecret) {
      return Fail(Internal("the PIN did not arrive"));
    }
    KB_ASSIGN(Secret secret, Secret::Allocate(size));
    if (!ReceiveAll(fd, secret.Buffer().first(size))) return Fail(Internal("the PIN was cut off"));
    secret.SetSize(size);
    secrets.push_back(std::move(secret));
  }
  return secrets;
}

std::string DumpText(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json Pack(const Result<Json>& result) {
  if (result) return Json{{"result", *result}};
  return Json{{"code", static_cast<unsigned>(result.error().code)},
              {"rv", result.error().rv},
              {"detail", result.error().detail}};
}

Json ParseReply(const std::string& text) {
  constexpr size_t kDeepest = 32;
  size_t depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string && c == '\\') {
      ++i;
    } else if (c == '"') {
      in_string = !in_string;
    } else if (!in_string && (c == '[' || c == '{') && ++depth > kDeepest) {
      return Json(Json::value_t::discarded);
    } else if (!in_string && (c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
  return Json::parse(text, nullptr, false);
}

Result<Json> Unpack(const std::string& text) {
  Json json = ParseReply(text);
  if (json.is_object() && json.contains("result")) return json["result"];
  const int64_t code = GetNumber(json, "code");
  if (code < 1 || code > static_cast<int64_t>(ErrorCode::kConflict)) {
    return Fail(Internal("the token's process gave an answer that does not parse"));
  }
  Error error =
      Internal(GetText(json, "detail"), static_cast<unsigned long>(GetNumber(json, "rv")));
  error.code = static_cast<ErrorCode>(code);
  return Fail(std::move(error));
}

bool SendText(int fd, const std::string& text) {
  return SendAll(fd, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

Result<std::string> ReceiveText(int fd, const std::function<bool()>& await) {
  std::string text;
  char buffer[16384];
  while (await()) {
    const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(buffer, static_cast<size_t>(n));
    if (text.size() > kMaxResult) return Fail(Internal("the token's answer is too long"));
    // JSON as Dump writes it has no line end in it, and each side waits for the other.
    if (text.back() == '\n') break;
  }
  return text;
}

}  // namespace keybroker::cli
