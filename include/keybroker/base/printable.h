#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace keybroker {

// PrintableSequence is the length in bytes of the UTF-8 sequence that text begins with, when it is
// one that a person sees for what it is; 0 for anything else: a byte that is no UTF-8, a control
// character (C0, DEL, C1: newline, tab and ESC among them), and a character that is not seen but
// changes how others are shown (bidirectional controls, zero-width characters, line separators).
size_t PrintableSequence(std::string_view text);

// EscapeUnprintable makes foreign text fit for a terminal, a table or a page: what is not printable
// comes out as \xNN, a byte each, or \u{NNNN}. Characters of keep ("\n\t") are left as they are.
std::string EscapeUnprintable(std::string_view text, std::string_view keep = {});

// CodePoint is the character of a well-formed UTF-8 sequence (Utf8Sequence gives its length).
char32_t CodePoint(std::string_view sequence);

}  // namespace keybroker
