#include "cli/answer.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "keybroker/base/printable.h"
#include "keybroker/base/utf8.h"
#include "keybroker/cryptoki/names.h"

namespace keybroker::cli {
namespace {

void Write(FILE* file, const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), file);
  if (!text.empty() && text.back() != '\n') std::fputc('\n', file);
}

// Unit is a UTF-16 code unit as a JSON escape (RFC 8259 section 7).
std::string Unit(unsigned value) {
  char text[16];
  std::snprintf(text, sizeof text, "\\u%04x", value);
  return text;
}

// Dump escapes what is not printable, although JSON does not demand it: a person may read this on a
// terminal too. Outside its strings JSON has nothing of that but newlines.
std::string Dump(const Json& json) {
  const std::string text = json.dump(2, ' ', false, Json::error_handler_t::replace);
  std::string out;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t size = std::max<size_t>(Utf8Sequence(rest), 1);
    const std::string_view sequence = rest.substr(0, size);
    const char32_t c = CodePoint(sequence);
    if (c == '\n' || PrintableSequence(rest) != 0) {
      out += sequence;
    } else if (c < 0x10000) {
      out += Unit(c);
    } else {
      out += Unit(0xd800 + ((c - 0x10000) >> 10)) + Unit(0xdc00 + ((c - 0x10000) & 0x3ff));
    }
    rest.remove_prefix(size);
  }
  return out;
}

// Flush is the last moment at which a full disk under a redirected output can be reported.
int Flush(int exit_code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return exit_code;
  Write(stderr, "keybroker: standard output cannot be written: the answer is incomplete");
  return kExitFailed;
}

// The origin that marks a WrongUsage, by its address.
constexpr char kUsage[] = "usage";

int PrintError(const Error& error, bool as_json) {
  if (error.origin == kUsage) return PrintUsage(error.detail, as_json);
  Write(stderr, "keybroker: " + ForTerminal(error.detail));
  if (as_json) {
    Json what{{"code", ErrorCodeName(error.code)}};
    if (error.rv != 0) what["rv"] = cryptoki::RvName(error.rv);
    what["message"] = error.detail;
    Write(stdout, Dump(Json{{"error", what}}));
  }
  return Flush(kExitFailed);
}

}  // namespace

Error WrongUsage(std::string detail) { return Malformed(std::move(detail), 0, kUsage, 0); }

Answer MakeAnswer(std::string text, Json json) {
  Answer answer;
  answer.text = std::move(text);
  answer.json = std::move(json);
  return answer;
}

int Print(const Result<Answer>& answer, bool as_json) {
  if (!answer) return PrintError(answer.error(), as_json);
  if (as_json) {
    Json json = answer->json;
    if (!answer->notes.empty()) json["notes"] = answer->notes;
    // A command that talks for itself, such as run, has nothing to add.
    if (!json.empty()) Write(stdout, Dump(json));
  } else {
    std::fwrite(answer->raw.data(), 1, answer->raw.size(), stdout);
    if (!answer->text.empty()) Write(stdout, ForTerminal(answer->text));
    std::fflush(stdout);
    for (const std::string& note : answer->notes) {
      Write(stderr, "keybroker: " + ForTerminal(note));
    }
  }
  return Flush(answer->good ? kExitDone : answer->exit_when_not_good);
}

void PrintProgress(const std::string& text) { Write(stderr, "keybroker: " + ForTerminal(text)); }

int PrintUsage(const std::string& text, bool as_json) {
  Write(stderr, "keybroker: " + ForTerminal(text));
  if (as_json) {
    Write(stdout, Dump(Json{{"error", {{"code", "usage"}, {"message", text}}}}));
  }
  return Flush(kExitUsage);
}

std::string GetText(const Json& json, const char* field) {
  if (!json.is_object() || !json.contains(field) || !json[field].is_string()) return {};
  return json[field].get<std::string>();
}

int64_t GetNumber(const Json& json, const char* field) {
  if (!json.is_object() || !json.contains(field) || !json[field].is_number_integer()) return 0;
  return json[field].get<int64_t>();
}

bool GetBool(const Json& json, const char* field) {
  return json.is_object() && json.contains(field) && json[field].is_boolean() &&
         json[field].get<bool>();
}

std::string Columns(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::vector<std::string>> cells;
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    auto& line = cells.emplace_back();
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) {
      line.push_back(EscapeUnprintable(row[i]));
      widths[i] = std::max(widths[i], line[i].size());
    }
  }
  std::string text;
  for (const auto& row : cells) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i] + std::string(widths[i] - row[i].size() + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string ForTerminal(std::string_view text) { return EscapeUnprintable(text, "\n\t"); }

}  // namespace keybroker::cli
