#include "cli/drill_report.h"

#include <cstdio>
#include <vector>

#include "keybroker/base/printable.h"

namespace keybroker::cli {
namespace {

constexpr char kStyle[] =
    "body{font:11pt/1.4 sans-serif;margin:2em auto;max-width:70em;padding:0 1em;color:#111}"
    "table{border-collapse:collapse;width:100%}"
    "td,th{border:1px solid #999;padding:.3em .5em;text-align:left;vertical-align:top}"
    "code{font-size:9pt;overflow-wrap:anywhere}.bad{background:#fdd;font-weight:bold}"
    ".good{background:#dfd}tr{break-inside:avoid}@media print{body{margin:0;max-width:none}}";

std::string Escape(const std::string& text) {
  std::string out;
  for (const char c : EscapeUnprintable(text)) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else {
      out += c;
    }
  }
  return out;
}

std::string Tag(const std::string& name, const std::string& html) {
  return "<" + name + ">" + html + "</" + name.substr(0, name.find(' ')) + ">";
}

std::string Milliseconds(const Json& json, const char* field) {
  return std::to_string(GetNumber(json, field)) + " ms";
}

const Json& ArrayOf(const Json& json, const char* field) {
  static const Json none = Json::array();
  const auto found = json.find(field);
  return found == json.end() || !found->is_array() ? none : *found;
}

// Rounded is a time that may be a fraction.
std::string Rounded(const Json& json, const char* field) {
  if (!json.contains(field) || !json[field].is_number()) return "";
  char text[32];
  std::snprintf(text, sizeof text, "%.1f ms", json[field].get<double>());
  return text;
}

// Handshakes has a line for each of level 3's.
std::vector<std::string> Handshakes(const Json& one) {
  std::vector<std::string> lines;
  for (const Json& made : ArrayOf(one, "tls")) {
    lines.push_back(GetText(made, "version") + " " + GetText(made, "cipher") + ", " +
                    GetText(made, "signature") + ", " + Rounded(made, "ms"));
  }
  return lines;
}

std::string MechanismsCell(const Json& one) {
  std::string cell = Escape(GetText(one, "mechanisms"));
  for (const std::string& line : Handshakes(one)) cell += "<br>" + Escape(line);
  return cell;
}

// TookCell: at level 3 the token's time has the restore and the programs' start in it.
std::string TookCell(const Json& one) {
  if (!one.contains("mac_ms")) return "token " + Milliseconds(one, "token_ms");
  std::string cell = "MAC " + Milliseconds(one, "mac_ms") + "<br>key " +
                     Milliseconds(one, "kdf_ms") + "<br>token " + Milliseconds(one, "token_ms");
  if (one.contains("restore_ms")) cell += "<br>of it restore " + Rounded(one, "restore_ms");
  if (one.contains("start_ms")) cell += "<br>broker " + Rounded(one, "start_ms");
  return cell;
}

bool IsExternal(const Json& drill) { return GetText(drill, "level") == "external"; }

std::string Level(const Json& drill) {
  return IsExternal(drill) ? "external" : std::to_string(GetNumber(drill, "level"));
}

// Where is the file, or what is on record of an external backup.
std::string Where(const Json& one) {
  const std::string file = GetText(one, "file");
  return file.empty() ? "external: " + GetText(one, "note") : file;
}

std::string HashesCell(const Json& one) {
  std::string cell;
  if (!GetText(one, "file").empty()) {
    cell = "file <code>" + Escape(GetText(one, "sha256")) + "</code><br>";
  }
  return cell + "public key <code>" + Escape(GetText(one, "spki_sha256")) + "</code>";
}

// WasHeld: a file that was left out is no failed drill.
bool WasHeld(const Json& one) { return !one.contains("held") || GetBool(one, "held"); }

std::string ResultWord(const Json& one) {
  if (GetBool(one, "good")) return "good";
  return WasHeld(one) ? "FAILED" : "not drilled";
}

std::string ResultCell(const Json& one) {
  if (GetBool(one, "good")) return "good";
  return (WasHeld(one) ? "" : "not drilled: ") + Escape(GetText(one, "failure"));
}

// KeyCell: of a file that does not open, whose key it has is its own word.
std::string KeyCell(const Json& one) {
  const bool claimed = one.contains("verified") && !GetBool(one, "verified");
  return Escape(GetText(one, "name") + " " + GetText(one, "type")) +
         (claimed ? "<br>as the file says" : "");
}

std::string MadeCell(const Json& one) {
  const int64_t number = GetNumber(one, "sequence");
  return Escape(GetText(one, "created")) +
         (number == 0 ? "" : "<br>number " + std::to_string(number));
}

// CertificateCell is until when the key's own certificate is valid.
std::string CertificateCell(const Json& one) {
  const Json& chain = ArrayOf(one, "certificates");
  if (!chain.empty()) return "until " + Escape(GetText(chain[0], "not_after"));
  return one.contains("certificates") ? "none" : "";
}

std::string Row(const Json& one) {
  const bool good = GetBool(one, "good");
  return Tag("tr", Tag("td", Escape(Where(one))) + Tag("td", KeyCell(one)) +
                       Tag("td", MadeCell(one)) + Tag("td", CertificateCell(one)) +
                       Tag("td", HashesCell(one)) + Tag("td", MechanismsCell(one)) +
                       Tag("td", TookCell(one)) +
                       Tag(good ? "td class=\"good\"" : "td class=\"bad\"", ResultCell(one))) +
         "\n";
}

std::string Fact(const std::string& name, const std::string& value) {
  return Tag("tr", Tag("th", name) + Tag("td", Escape(value))) + "\n";
}

std::string Summary(const Json& drill) {
  return std::to_string(GetNumber(drill, "good_count")) + " of " +
         std::to_string(GetNumber(drill, "count")) +
         (IsExternal(drill) ? " external backups are good" : " backups are good");
}

std::string NextDue(const Json& drill) {
  if (GetBool(drill, "proved")) return GetText(drill, "next_due");
  return !IsExternal(drill) && GetNumber(drill, "level") < 2 ? "now: this level proves no key"
                                                             : "now: not every backup was proved";
}

}  // namespace

std::string DrillHtml(const Json& drill) {
  std::string rows;
  for (const Json& one : ArrayOf(drill, "results")) rows += Row(one);
  const std::string token = GetText(drill, "token");
  return "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
         "<title>keybroker drill</title><style>" +
         std::string(kStyle) + "</style></head><body>\n" + Tag("h1", "Drill of key backups") +
         Tag("p", Escape(Summary(drill))) + "\n<table>\n" + Fact("time", GetText(drill, "time")) +
         Fact("operator", GetText(drill, "operator")) + Fact("host", GetText(drill, "host")) +
         Fact("keybroker", GetText(drill, "version")) +
         Fact("level", Level(drill) + ": " + GetText(drill, "level_means")) +
         Fact("token", token.empty() ? "none: this level needs none" : token) +
         Fact("destroyed afterwards", GetText(drill, "destroyed")) +
         Fact("next due", NextDue(drill)) + "</table>\n<h2>Backups</h2>\n<table>\n" +
         Tag("tr",
             "<th>backup<th>key<th>made<th>certificate<th>SHA-256<th>mechanisms<th>took<th>"
             "result") +
         "\n" + rows + "</table>\n</body></html>\n";
}

std::string DrillText(const Json& drill) {
  std::vector<std::vector<std::string>> rows{{"RESULT", "KEY", "TYPE", "MADE", "FILE"}};
  std::string failures;
  std::string handshakes;
  for (const Json& one : ArrayOf(drill, "results")) {
    const bool good = GetBool(one, "good");
    rows.push_back({ResultWord(one), GetText(one, "name"), GetText(one, "type"),
                    GetText(one, "created"), Where(one)});
    for (const std::string& line : Handshakes(one)) {
      handshakes += "  " + EscapeUnprintable(GetText(one, "name") + ": " + line) + "\n";
    }
    if (!good && GetText(one, "code") != "interrupted") {  // the note says it of all these
      failures += EscapeUnprintable(Where(one) + ": " + GetText(one, "failure")) + "\n";
    }
  }
  const std::string token = GetText(drill, "token");
  return Columns(rows) + handshakes + failures + Summary(drill) + ", level " + Level(drill) + " (" +
         GetText(drill, "level_means") + ")\n" +
         (token.empty() ? "" : token + "; " + GetText(drill, "destroyed") + "\n") +
         "next due: " + NextDue(drill);
}

}  // namespace keybroker::cli
