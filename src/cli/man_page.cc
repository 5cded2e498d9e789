#include "cli/man_page.h"

namespace keybroker::cli {
namespace {

// Literal keeps a line as it is: backslashes and a control character at its beginning mean
// something to troff.
std::string Literal(const std::string& text) {
  std::string out = ".nf\n";
  bool fresh = true;
  for (const char c : text) {
    if (fresh && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
    fresh = c == '\n';
  }
  if (!out.empty() && out.back() != '\n') out += '\n';
  return out + ".fi\n";
}

}  // namespace

std::string FormatManPage(const std::string& help, const std::vector<PageEntry>& entries) {
  std::string page =
      ".\\\" Written by keybroker --man-page; do not edit.\n"
      ".TH KEYBROKER 1 \"\" \"keybroker\" \"User Commands\"\n"
      ".SH NAME\nkeybroker \\- keep TLS private keys on a PKCS#11 token\n"
      ".SH DESCRIPTION\n" +
      Literal(help) + ".SH COMMANDS\n";
  for (const PageEntry& entry : entries) {
    page += ".SS " + entry.command + "\n" + Literal(entry.help);
  }
  return page +
         ".SH EXIT STATUS\n0 done, 1 failed (standard error says what, why and what to do), 2 "
         "wrong "
         "usage.\n"
         ".SH SEE ALSO\nkeybrokerd(8), keybroker\\-tokenhost(8)\n";
}

}  // namespace keybroker::cli
