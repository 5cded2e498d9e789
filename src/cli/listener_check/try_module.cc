#include "cli/listener_check/try_module.h"

#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <string>

#include "cli/token_child.h"
#include "keybroker/base/file.h"
#include "keybroker/base/hex.h"
#include "keybroker/base/printable.h"
#include "keybroker/credential/reference_format.h"
#include "keybroker/ipc/directory.h"
#include "keybroker/token/check_library.h"

namespace keybroker::cli {
namespace {

constexpr size_t kLargest = 65536;  // of a file that is looked into
constexpr unsigned kSeconds = 10;   // for a library to load

// NamedModule is what the file's line "module: PATH" names (pkcs11.conf(5)); empty: none.
std::string NamedModule(const std::string& text) {
  constexpr std::string_view kField = "module:";
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(kField)) continue;
    const size_t begin = line.find_first_not_of(" \t", kField.size());
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return {};
}

// ProblemOfModule loads what the file names as user; empty when it is a module.
std::string ProblemOfModule(const std::filesystem::path& file, const std::string& user) {
  if (const Status safe = ipc::CheckSafeFile(file); !safe) {
    return "left out, nothing was loaded: " + safe.error().detail;
  }
  const auto text = ReadFile(file, kLargest);
  if (!text) return text.error().detail;
  const std::string module = NamedModule(*text);
  if (module.empty()) return "it has no line \"module: PATH\"";
  if (module.front() != '/') return "module: " + module + " is not an absolute path";
  if (::access(module.c_str(), F_OK) != 0) return "PKCS#11 module missing: " + module;
  const auto loaded = RunAsUser(user, {}, [&](const std::vector<Secret>&) -> Result<Json> {
    ::alarm(kSeconds);
    return Json{{"why", token::ProblemWithLibrary(module, "C_GetFunctionList")}};
  });
  const std::string why = loaded ? GetText(*loaded, "why") : loaded.error().detail;
  return why.empty() ? "" : "not a PKCS#11 module: " + why;
}

std::string IdOf(const credential::Reference& reference) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(reference.id.data());
  return Hex({bytes, reference.id.size()});
}

// ProblemOfUris is what is wrong with the URIs of a file; empty when nothing is, or it has none.
std::string ProblemOfUris(const std::string& text, const std::vector<KeyTarget>& targets) {
  const std::string_view head = credential::kReferenceUriHead;
  for (size_t at = text.find(head); at != std::string::npos; at = text.find(head, at + 1)) {
    const std::string uri = text.substr(at, text.find_first_of(" \t\r\n|\"'", at) - at);
    const auto reference = credential::ParseReferenceUri(uri);
    if (!reference) return "malformed URI: " + uri;
    const std::string id = IdOf(*reference);
    if (std::any_of(targets.begin(), targets.end(),
                    [&](const KeyTarget& target) { return target.id_hex == id; })) {
      continue;
    }
    return "it names a key by id " + id +
           ", and that is no current key of this listener: write it again, `keybroker listener "
           "config`";
  }
  return {};
}

}  // namespace

std::vector<TriedFile> TryModule(const std::filesystem::path& directory,
                                 const policy::Listener& listener,
                                 const std::vector<KeyTarget>& targets) {
  std::error_code error;
  const auto module = std::filesystem::absolute(directory, error) / "keybroker.module";
  std::vector<TriedFile> all;
  if (!std::filesystem::exists(module, error)) return all;
  const std::string user = SigningUser(listener);
  const auto add = [&](const std::filesystem::path& file, std::string problem) {
    const bool good = problem.empty();
    if (good) problem = "names a PKCS#11 module that loads";
    all.push_back({file, user, good, EscapeUnprintable(problem)});
  };
  add(module, ProblemOfModule(module, user));
  for (const auto& entry : std::filesystem::directory_iterator(module.parent_path(), error)) {
    if (entry.path().extension() != ".conf") continue;
    const auto text = ReadFile(entry.path(), kLargest);
    if (!text) continue;
    if (std::string problem = ProblemOfUris(*text, targets); !problem.empty()) {
      add(entry.path(), std::move(problem));
    }
  }
  return all;
}

}  // namespace keybroker::cli
