#include <algorithm>

#include "policy/listener_check.h"

namespace keybroker::policy {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxSocketPath = 107;  // sockaddr_un.sun_path without its NUL, unix(7)

// PathFault says what keeps a path from meaning one place only.
std::string PathFault(const std::string& text) {
  const fs::path path(text);
  if (!path.is_absolute()) return "must be an absolute path";
  if (path != path.lexically_normal() || text.find("//") != std::string::npos) {
    return "must not contain \"..\", \".\" or \"//\"";
  }
  if (text.back() == '/') return "must not end with '/'";
  return {};
}

// ParseMode reads "0660" or "660"; only permission bits, and the owner's own must be there.
std::optional<mode_t> ParseMode(std::string_view text) {
  if (text.size() == 4 && text[0] == '0') text.remove_prefix(1);
  if (text.size() != 3) return std::nullopt;
  mode_t mode = 0;
  for (const char c : text) {
    if (c < '0' || c > '7') return std::nullopt;
    mode = mode << 3 | static_cast<mode_t>(c - '0');
  }
  if ((mode & 0600) != 0600) return std::nullopt;
  return mode;
}

}  // namespace

void ReadSocket(const config::TomlSection& section, Listener* listener) {
  if (const auto socket = section.OptionalString("socket"); socket && !socket->empty()) {
    listener->socket = *socket;
    if (const std::string fault = PathFault(*socket); !fault.empty()) {
      section.Complain("socket", fault);
    } else if (socket->size() > kMaxSocketPath) {
      section.Complain("socket", "is longer than 107 bytes, the limit for a socket's path");
    }
  }
  listener->owner = section.String("owner", "");
  listener->group = section.String("group", "");
  if (const auto mode = ParseMode(section.String("mode", "0660"))) {
    listener->mode = *mode;
  } else {
    section.Complain("mode",
                     "must be an octal mode in quotes that lets the owner read and write, "
                     "such as \"0660\"");
  }
  for (const std::string& jail : section.Strings("jails")) {
    if (const std::string fault = PathFault(jail); !fault.empty()) {
      section.Complain("jails", std::string("\"").append(jail).append("\" ").append(fault));
    } else if (std::find(listener->jails.begin(), listener->jails.end(), jail) !=
               listener->jails.end()) {
      section.Complain("jails", "\"" + jail + "\" is listed twice");
    } else {
      listener->jails.emplace_back(jail);
    }
  }
}

}  // namespace keybroker::policy
