#include "cli/listener_config/directories.h"

#include <algorithm>
#include <sstream>

#include "cli/layout.h"
#include "keybroker/base/file.h"

namespace keybroker::cli {
namespace {

constexpr size_t kMaxFile = 64 << 10;
constexpr size_t kMost = 16;

std::filesystem::path FileOf(const config::Settings& settings, const std::string& listener) {
  return ListenerDirectory(settings, listener).string() + ".directories";
}

// Remembered is oldest first.
std::vector<std::filesystem::path> Remembered(const config::Settings& settings,
                                              const std::string& listener) {
  std::vector<std::filesystem::path> directories;
  const auto text = ReadFile(FileOf(settings, listener), kMaxFile);
  if (!text) return directories;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line) && directories.size() < kMost;) {
    if (line.starts_with('/')) directories.emplace_back(line);
  }
  return directories;
}

}  // namespace

Status RememberDirectory(const config::Settings& settings, const std::string& listener,
                         const std::filesystem::path& directory) {
  auto directories = Remembered(settings, listener);
  const bool usual = directory == ListenerDirectory(settings, listener);
  if (usual && directories.empty()) return {};
  directories.erase(std::remove(directories.begin(), directories.end(), directory),
                    directories.end());
  if (directories.size() == kMost) directories.erase(directories.begin());
  directories.push_back(directory);
  std::string text;
  for (const auto& each : directories) text += each.string() + "\n";
  const auto file = FileOf(settings, listener);
  KB_TRY(MakeDirectory(file.parent_path(), "", 0755));
  return WriteFileAtomically(file, text, 0644);
}

std::vector<std::filesystem::path> DirectoriesOf(const config::Settings& settings,
                                                 const std::string& listener) {
  auto directories = Remembered(settings, listener);
  std::reverse(directories.begin(), directories.end());
  const auto usual = ListenerDirectory(settings, listener);
  if (std::find(directories.begin(), directories.end(), usual) == directories.end()) {
    directories.push_back(usual);
  }
  return directories;
}

}  // namespace keybroker::cli
