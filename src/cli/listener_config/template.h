#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace keybroker::cli {

// Values is what a template's names stand for.
using Values = std::map<std::string, std::vector<std::string>, std::less<>>;

// FillTemplate puts values in the place of names, line by line. A line with @NAME@ stands there
// once for each value of NAME, and not at all when it has none. @NAME:SEPARATOR@ is all of NAME's
// values in the one line. A name that is not among the values stays as it is.
std::string FillTemplate(std::string_view text, const Values& values);

}  // namespace keybroker::cli
