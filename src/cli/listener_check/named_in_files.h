#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/reference_file.h"

namespace keybroker::cli {

// FieldOf is the value of the first line "name SEPARATOR value": pkcs11.conf(5) has ':' there,
// config(5) '='. Blanks around each do not count. Empty when there is none.
std::string FieldOf(const std::string& text, std::string_view name, char separator);

// ProblemOfPath is what is wrong with the path of a PKCS#11 module, before it is loaded; empty: it
// is there.
std::string ProblemOfPath(const std::string& module);

// ProblemOfUris is what is wrong with the PKCS#11 URIs (RFC 7512) of ours in a text or in a DER:
// the first that is malformed or names none of targets. Empty when nothing is, or there is none.
std::string ProblemOfUris(std::string_view text, const std::vector<KeyTarget>& targets);

}  // namespace keybroker::cli
