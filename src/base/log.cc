#include "keybroker/base/log.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "keybroker/base/utf8.h"

namespace keybroker {
namespace {

std::string& LogName() {
  // Never destroyed: threads may still log while the process exits.
  static std::string* name = new std::string("keybroker");
  return *name;
}

// Escaped leaves printable UTF-8 as it is; control characters (C0, DEL, C1) and bytes that are no
// UTF-8 become \xNN, so that neither a line nor a terminal can be forged.
std::string Escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text[0]);
    const size_t length = Utf8Sequence(text);
    const bool c0 = first < 0x20 || first == 0x7f;
    const bool c1 = length == 2 && first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0;
    const size_t taken = length == 0 ? 1 : length;
    if (length != 0 && !c0 && !c1) {
      out += text.substr(0, length);
    } else {
      for (const char c : text.substr(0, taken)) {
        char buffer[5];
        std::snprintf(buffer, sizeof buffer, "\\x%02x", static_cast<unsigned char>(c));
        out += buffer;
      }
    }
    text.remove_prefix(taken);
  }
  return out;
}

// ToJournal is true when stderr is the journal's stream that JOURNAL_STREAM ("DEVICE:INODE") names;
// the variable alone is inherited by processes that write elsewhere (systemd.exec(5)).
bool ToJournal() {
  const char* stream = ::getenv("JOURNAL_STREAM");
  struct stat info {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &info) != 0) return false;
  return stream == std::to_string(info.st_dev) + ":" + std::to_string(info.st_ino);
}

}  // namespace

void SetLogName(std::string_view name) { LogName() = name; }

void Log(LogLevel level, std::string_view text) {
  // Looked at once: getenv races with the setenv that vendor modules need.
  static const bool to_journal = ToJournal();
  std::string line;
  if (to_journal) {
    line = "<" + std::to_string(static_cast<int>(level)) + ">";
  }
  line += LogName() + ": " + Escaped(text) + "\n";
  // A log that cannot be written has nowhere to be reported.
  [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, line.data(), line.size());
}

void LogError(std::string_view what, const Error& error) {
  std::string text =
      std::string(what) + ": " + error.detail + " [" + std::string(ErrorCodeName(error.code));
  if (error.rv != 0) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, ", CK_RV 0x%lx", error.rv);
    text += buffer;
  }
  Log(LogLevel::kError, text + "]");
}

}  // namespace keybroker
