#include "cli/listener_config/write.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "cli/layout.h"
#include "keybroker/base/file.h"
#include "keybroker/base/process.h"
#include "keybroker/base/unique_fd.h"
#include "keybroker/credential/reference.h"

namespace keybroker::cli {
namespace {

bool IsOurs(const std::string& text) {
  return text.starts_with(kMadeHere) || text.starts_with("-----BEGIN PKCS#11 PROVIDER URI-----") ||
         credential::ParseReferenceFile(text).has_value();
}

struct Rights {
  mode_t mode = 0644;
  FileOwner owner;
};

// RightsOf: no secret is in any of the files, and the server's user has to read them; but some
// servers refuse a key file that others can read too.
Result<Rights> RightsOf(const ConfigFile& file) {
  if (file.group.empty()) return Rights{};
  Rights rights{0640, {}};
  auto group = FindGroup(file.group);
  if (!group) {
    Error error = group.error();
    error.detail =
        "the server takes a key file only when nobody but its group can read it: " + error.detail +
        "; nothing was written. Install the server first";
    return Fail(std::move(error));
  }
  rights.owner.gid = *group;
  return rights;
}

bool Has(const std::filesystem::path& path, const Rights& rights) {
  struct stat there {};
  if (::stat(path.c_str(), &there) != 0) return false;
  return (there.st_mode & 07777) == rights.mode &&
         (rights.owner.gid == static_cast<gid_t>(-1) || there.st_gid == rights.owner.gid);
}

// Hold keeps a directory open: what is read and what is written afterwards is in this one, though
// whoever owns a directory above exchanges it, or puts a link in its place.
Result<UniqueFd> Hold(const std::filesystem::path& directory) {
  UniqueFd fd(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (fd) return fd;
  if (errno == ELOOP || errno == ENOTDIR) {
    return Fail(Denied(directory.string() + " is a symbolic link or no directory; nothing was "
                                            "written. Name the directory itself with --write"));
  }
  return Fail(SystemError("cannot open " + directory.string(), errno));
}

// Named gives the directory its own name back in an error's text.
template <typename Value>
Result<Value> Named(const std::filesystem::path& directory, const std::filesystem::path& same,
                    Result<Value> result) {
  if (result) return result;
  Error error = result.error();
  const size_t at = error.detail.find(same.string());
  if (at != std::string::npos) error.detail.replace(at, same.string().size(), directory.string());
  return Fail(std::move(error));
}

// Fate says what is going to happen to a file.
Result<std::string> Fate(const std::filesystem::path& directory, const std::filesystem::path& same,
                         const ConfigFile& file, const Rights& rights) {
  const auto there = ReadFile(same / file.name);
  if (!there && there.error().code == ErrorCode::kNotFound) return "wrote";
  KB_TRY(Named(directory, same, there));
  if (*there == file.text && Has(same / file.name, rights)) return "unchanged";
  if (IsOurs(*there)) return "replaced";
  return Fail(Conflict((directory / file.name).string() +
                       " was not made by keybroker, and is left as it is; nothing was written. "
                       "Name another directory with --write"));
}

}  // namespace

Result<std::vector<std::string>> WriteConfigFiles(const std::filesystem::path& directory,
                                                  const std::vector<ConfigFile>& files) {
  std::vector<Rights> rights;
  for (const ConfigFile& file : files) {
    KB_ASSIGN(const Rights its, RightsOf(file));
    rights.push_back(its);
  }
  KB_TRY(MakeDirectory(directory, "", 0755));
  KB_ASSIGN(const UniqueFd held, Hold(directory));
  const std::filesystem::path same = "/proc/self/fd/" + std::to_string(held.get());
  std::vector<std::string> fates;
  for (size_t i = 0; i < files.size(); ++i) {
    KB_ASSIGN(std::string fate, Fate(directory, same, files[i], rights[i]));
    fates.push_back(std::move(fate));
  }
  for (size_t i = 0; i < files.size(); ++i) {
    if (fates[i] == "unchanged") continue;
    KB_TRY(Named(directory, same,
                 WriteFileAtomically(same / files[i].name, files[i].text, rights[i].mode,
                                     Overwrite::kReplace, rights[i].owner)));
  }
  return fates;
}

}  // namespace keybroker::cli
