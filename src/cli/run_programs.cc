#include "cli/run_programs.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "keybroker/base/log.h"

namespace keybroker::cli {
namespace {

constexpr char kBroker[] = "keybrokerd";
constexpr char kTokenhost[] = "keybroker-tokenhost";
constexpr char kLibexec[] = "/usr/libexec/keybroker";

bool HasPrograms(const std::filesystem::path& directory) {
  return ::access((directory / kBroker).c_str(), X_OK) == 0 &&
         ::access((directory / kTokenhost).c_str(), X_OK) == 0;
}

std::filesystem::path OwnDirectory() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? std::filesystem::path() : self.parent_path();
}

// Succeeds runs a command to its end.
bool Succeeds(const RunCommand& command) {
  const auto pid = SpawnChild(command, -1);
  if (!pid) {
    LogError("cannot start " + command.name, pid.error());
    return false;
  }
  int status = 0;
  while (::waitpid(*pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

Result<RunPrograms> RunPrograms::Find(const std::filesystem::path& directory) {
  const auto own = OwnDirectory();
  std::vector<std::filesystem::path> places{directory};
  if (directory.empty()) places = {own, own.parent_path() / "libexec/keybroker", kLibexec};
  std::string looked;
  for (const auto& place : places) {
    if (!place.empty() && HasPrograms(place)) return RunPrograms(place);
    looked += (looked.empty() ? "" : " or ") + place.string();
  }
  return Fail(NotFound(std::string("there is no ") + kBroker + " with a " + kTokenhost + " in " +
                       looked + ": install both beside each other"));
}

RunCommand RunPrograms::Broker(const config::Settings& settings) const {
  return {kBroker, {(directory_ / kBroker).string(), "--config", settings.file.string()}};
}

RunCommand RunPrograms::Tokenhost(const config::Settings& settings,
                                  const std::string& token) const {
  return {
      std::string(kTokenhost) + " " + token,
      {(directory_ / kTokenhost).string(), "--config", settings.file.string(), "--token", token}};
}

Result<std::vector<std::string>> RunTokenNames(const config::Settings& settings) {
  std::error_code error;
  std::filesystem::directory_iterator files(settings.tokens_dir, error);
  std::vector<std::string> names;
  for (; !error && files != std::filesystem::directory_iterator(); files.increment(error)) {
    const auto& path = files->path();
    if (path.extension() != ".toml" || path.stem().string().front() == '.') continue;
    KB_TRY(config::CheckName("token", path.stem().string()));
    names.push_back(path.stem().string());
  }
  if (error) {
    return Fail(SystemError("cannot list " + settings.tokens_dir.string(), error.value()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool RunChecks(const RunPrograms& programs, const config::Settings& settings,
               const std::vector<std::string>& tokens) {
  std::vector<RunCommand> commands{programs.Broker(settings)};
  for (const std::string& token : tokens) commands.push_back(programs.Tokenhost(settings, token));
  std::string wrong;
  for (RunCommand& command : commands) {
    command.arguments.push_back("--check");
    if (Succeeds(command)) continue;
    wrong += (wrong.empty() ? "" : ", ") + command.name;
  }
  // The programs say "ok" each for itself.
  if (!wrong.empty()) Log(LogLevel::kError, "not ok, see above: " + wrong);
  return wrong.empty();
}

}  // namespace keybroker::cli
