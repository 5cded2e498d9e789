#pragma once

#include <functional>
#include <string>
#include <vector>
#include "keybroker/base/json.h"

#include "keybroker/base/result.h"

namespace keybroker::cli {

using Json = nlohmann::ordered_json;

// Exit codes of `keybroker`.
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitDenied = 3;  // of `why`: the answer is no

// Answer is what a command has to say: text for a person, json for --json, one of them printed on
// standard output. notes go to standard error as lines, and into the JSON.
struct Answer {
  std::string text;
  Json json = Json::object();
  std::vector<std::string> notes;
  std::string raw;   // bytes for standard output as they are, when there is no --json
  bool good = true;  // false: the command did its work, and what it found is not well
  int exit_when_not_good = kExitFailed;
};

// MakeAnswer is an Answer that all is well with.
Answer MakeAnswer(std::string text, Json json);

// WrongUsage is the error of a command line that was read, but has a word in it that is none of
// those there are, or two that exclude each other: Print gives kExitUsage for it.
Error WrongUsage(std::string detail);

// Print writes an Answer, or an Error ("keybroker: what, why, what to do" and, with as_json, an
// object "error" on standard output), and gives the exit code.
int Print(const Result<Answer>& answer, bool as_json);

// PrintProgress says on stderr what a command that takes long is waiting for.
void PrintProgress(const std::string& text);

// PrintUsage reports a command line that was not understood.
int PrintUsage(const std::string& text, bool as_json);

// Get reads a field of JSON that another process wrote: the fallback when it is missing or of
// another type. Never throws.
std::string GetText(const Json& json, const char* field);
int64_t GetNumber(const Json& json, const char* field);
bool GetBool(const Json& json, const char* field);

// Columns lays rows out as a table, two spaces between the columns. Cells may be foreign text: what
// is not printable in them, a newline too, is escaped.
std::string Columns(const std::vector<std::vector<std::string>>& rows);

// ForTerminal escapes what is not printable in a whole text of ours but its newlines and tabs, so
// that text from a token or file cannot steer a terminal. What was put into it from elsewhere on a
// line of its own goes through EscapeUnprintable before, so that it stays on that line.
std::string ForTerminal(std::string_view text);

}  // namespace keybroker::cli
