#include "cli/listener_config/write.h"

#include "cli/layout.h"
#include "keybroker/base/file.h"
#include "keybroker/credential/reference.h"

namespace keybroker::cli {
namespace {

bool IsOurs(const std::string& text) {
  return text.starts_with(kMadeHere) || text.starts_with("-----BEGIN PKCS#11 PROVIDER URI-----") ||
         credential::ParseReferenceFile(text).has_value();
}

// Fate says what is going to happen to a file.
Result<std::string> Fate(const std::filesystem::path& path, const ConfigFile& file) {
  const auto there = ReadFile(path);
  if (!there && there.error().code == ErrorCode::kNotFound) return "wrote";
  KB_TRY(there);
  if (*there == file.text) return "unchanged";
  if (IsOurs(*there)) return "replaced";
  return Fail(Conflict(path.string() +
                       " was not made by keybroker, and is left as it is; nothing was written. "
                       "Name another directory with --write"));
}

}  // namespace

Result<std::vector<std::string>> WriteConfigFiles(const std::filesystem::path& directory,
                                                  const std::vector<ConfigFile>& files) {
  std::vector<std::string> fates;
  for (const ConfigFile& file : files) {
    KB_ASSIGN(std::string fate, Fate(directory / file.name, file));
    fates.push_back(std::move(fate));
  }
  KB_TRY(MakeDirectory(directory, "", 0755));
  for (size_t i = 0; i < files.size(); ++i) {
    if (fates[i] == "unchanged") continue;
    // No secret is in any of them, and the server's user has to read them.
    KB_TRY(WriteFileAtomically(directory / files[i].name, files[i].text, 0644));
  }
  return fates;
}

}  // namespace keybroker::cli
