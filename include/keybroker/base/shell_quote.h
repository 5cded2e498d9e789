#pragma once

#include <string>
#include <string_view>

namespace keybroker {

// ShellQuote gives a word as it is typed at a POSIX shell (XCU section 2.2): as it is when nothing
// in it is special there, else in single quotes. For commands that are printed to be pasted: a byte
// that is no printable character comes as EscapeUnprintable shows it, so that such a command names
// no file rather than another one.
std::string ShellQuote(std::string_view word);

}  // namespace keybroker
