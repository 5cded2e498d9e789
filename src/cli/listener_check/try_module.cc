#include "cli/listener_check/try_module.h"

#include <unistd.h>

#include <string>

#include "cli/listener_check/named_in_files.h"
#include "cli/token_child.h"
#include "keybroker/base/file.h"
#include "keybroker/base/printable.h"
#include "keybroker/ipc/directory.h"
#include "keybroker/token/check_library.h"

namespace keybroker::cli {
namespace {

constexpr size_t kLargest = 65536;  // of a file that is looked into
constexpr unsigned kSeconds = 10;   // for a library to load

// ProblemOfModule loads what the file names as user; empty when it is a module.
std::string ProblemOfModule(const std::filesystem::path& file, const std::string& user) {
  if (const Status safe = ipc::CheckSafeFile(file); !safe) {
    return "left out, nothing was loaded: " + safe.error().detail;
  }
  const auto text = ReadFile(file, kLargest);
  if (!text) return text.error().detail;
  const std::string module = FieldOf(*text, "module", ':');
  if (std::string problem = ProblemOfPath(module); !problem.empty()) return problem;
  const auto loaded = RunAsUser(user, {}, [&](const std::vector<Secret>&) -> Result<Json> {
    ::alarm(kSeconds);
    return Json{{"why", token::ProblemWithLibrary(module, "C_GetFunctionList")}};
  });
  const std::string why = loaded ? GetText(*loaded, "why") : loaded.error().detail;
  return why.empty() ? "" : "not a PKCS#11 module: " + why;
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
    if (entry.path().extension() != ".conf" || !ipc::CheckSafeFile(entry.path())) continue;
    const auto text = ReadFile(entry.path(), kLargest);
    if (!text) continue;
    if (std::string problem = ProblemOfUris(*text, targets); !problem.empty()) {
      add(entry.path(), std::move(problem));
    }
  }
  return all;
}

}  // namespace keybroker::cli
