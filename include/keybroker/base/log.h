#pragma once

#include <string_view>

#include "keybroker/base/error.h"

namespace keybroker {

// LogLevel has syslog's order; under systemd each line carries its "<N>" prefix (sd-daemon(3)).
enum class LogLevel { kError = 3, kWarning = 4, kNotice = 5, kInfo = 6 };

// SetLogName sets the program's name that starts every line: "keybrokerd: ...".
void SetLogName(std::string_view name);

// Log writes one line to stderr in one write(2). Control characters and bytes that are no UTF-8 are
// escaped, so that what a listener sends cannot forge a line. Thread-safe.
void Log(LogLevel level, std::string_view text);

// LogError writes an Error: "WHAT: detail [code, CK_RV 0x..]".
void LogError(std::string_view what, const Error& error);

}  // namespace keybroker
