#include "cli/listener_file.h"

#include <algorithm>
#include <charconv>
#include <sstream>
#include <system_error>

#include "cli/answer.h"
#include "cli/layout.h"
#include "keybroker/base/file.h"

namespace keybroker::cli {

Result<std::vector<std::string>> ListenerNames(const config::Settings& settings) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator at(settings.listeners_dir, error), end;
       !error && at != end; at.increment(error)) {
    if (at->path().extension() == ".toml" && at->path().filename().string()[0] != '.') {
      names.push_back(at->path().stem());
    }
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return Fail(SystemError("cannot read " + settings.listeners_dir.string(), error.value()));
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<policy::Listener> LoadListener(const config::Settings& settings, const std::string& name) {
  KB_TRY(config::CheckName("listener", name));
  const auto file = settings.ListenerFile(name);
  const auto text = ReadFile(file);
  if (!text && text.error().code == ErrorCode::kNotFound) {
    KB_ASSIGN(const auto names, ListenerNames(settings));
    std::string all;
    for (const auto& one : names) all += (all.empty() ? "" : ", ") + one;
    return Fail(NotFound("there is no listener \"" + name + "\"" +
                         (all.empty() ? "" : " (there is " + all + ")") +
                         ": `keybroker listener add " + name + " --user USER` makes one"));
  }
  KB_TRY(text);
  return policy::ParseListener(*text, file.string());
}

namespace {

// CheckText is the parser's word without the line numbers of a file that nobody has written yet.
Status CheckText(const std::string& name, const std::string& text) {
  const std::string file = name + ".toml";
  const auto parsed = policy::ParseListener(text, file);
  if (parsed) return {};
  std::istringstream lines(parsed.error().detail);
  std::string problems;
  for (std::string line; std::getline(lines, line);) {
    const size_t end = line.starts_with(file + ":") ? line.find(": ") : std::string::npos;
    problems +=
        (problems.empty() ? "" : "; ") + (end == std::string::npos ? line : line.substr(end + 2));
  }
  return Fail(Malformed("the listener \"" + name + "\" cannot be so: " + problems +
                        ". Nothing was changed"));
}

}  // namespace

Status StoreListener(const config::Settings& settings, const policy::Listener& listener,
                     bool create) {
  const auto file = settings.ListenerFile(listener.name);
  const std::string text = policy::FormatListener(listener);
  // What the broker would refuse must not get there.
  KB_TRY(CheckText(listener.name, text));
  KB_TRY(MakeDirectory(settings.listeners_dir, "", 0755));
  const Status written =
      WriteFileAtomically(file, text, 0644, create ? Overwrite::kRefuse : Overwrite::kReplace);
  if (!written && written.error().code == ErrorCode::kConflict) {
    return Fail(Conflict("the listener \"" + listener.name + "\" exists already (" + file.string() +
                         "); it was left as it is"));
  }
  return written;
}

std::filesystem::path SocketOf(const config::Settings& settings, const policy::Listener& listener) {
  return listener.socket.empty() ? settings.ListenerSocket(listener.name) : listener.socket;
}

Result<mode_t> ParseMode(const std::string& text) {
  unsigned mode = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  if (error != std::errc() || end != text.data() + text.size() || text.empty() || mode > 0777) {
    return Fail(WrongUsage("\"" + text + "\" is not a file mode such as 0640"));
  }
  return static_cast<mode_t>(mode);
}

}  // namespace keybroker::cli
