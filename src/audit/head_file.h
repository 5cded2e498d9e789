#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "keybroker/audit/log.h"

namespace keybroker::audit {

// HeadPath is where the Head of the chain in file is kept: FILE.head.
std::filesystem::path HeadPath(const std::filesystem::path& file);

// HeadBytes is the head file's content: 20 digits, a space, 64 hexadecimal digits, a newline;
// always 86 bytes, so that one pwrite(2) replaces it. FormatHead is the same as a string.
inline constexpr size_t kHeadSize = 20 + 1 + 64 + 1;
std::array<char, kHeadSize> HeadBytes(const Head& head);
std::string FormatHead(const Head& head);

// ParseHead reads it; nothing when it is anything else.
std::optional<Head> ParseHead(std::string_view text);

// ReadHead reads an open head file; WriteHead replaces its content.
std::optional<Head> ReadHead(int fd);
Status WriteHead(int fd, const Head& head);

}  // namespace keybroker::audit
