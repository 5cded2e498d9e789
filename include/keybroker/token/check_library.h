#pragma once

#include <filesystem>
#include <string>

namespace keybroker::token {

// ProblemWithLibrary loads a shared library into this process, with all that it needs, and says why
// that fails or that it has no such symbol (dlopen(3)'s words); empty: it has. The library stays
// loaded, and its constructors have run: for a process that is not needed any more.
std::string ProblemWithLibrary(const std::filesystem::path& file, const char* symbol);

}  // namespace keybroker::token
