#include "cli/scratch_folder.h"

#include <grp.h>
#include <openssl/rand.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "keybroker/base/file.h"

namespace keybroker::cli {
namespace {

// HoldSignals: what ends a process waits until the folder is gone, and the process ends anyway.
void HoldSignals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals, signal);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
}

constexpr char kPrefix[] = "keybroker-drill-";

// The numbers that systemd gives to services for as long as they run (DynamicUser=,
// systemd.exec(5)).
constexpr unsigned kFirst = 61184;
constexpr unsigned kCount = 65519 - kFirst + 1;

Result<unsigned> RandomNumber() {
  uint16_t random = 0;
  if (RAND_bytes(reinterpret_cast<uint8_t*>(&random), sizeof random) == 1) return random;
  return Fail(Internal("no random bytes"));
}

// Runs tells whether a process of that user is there: one that somebody started by number, or that
// a drill which was killed left.
bool Runs(uid_t uid) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    struct stat info {};
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    if (::stat(entry.path().c_str(), &info) == 0 && info.st_uid == uid) return true;
  }
  return false;
}

// ScratchUser is the number of a user that there is not. The next call gives another one.
Result<std::string> ScratchUser() {
  static unsigned next = 0;
  if (next == 0) {
    KB_ASSIGN(next, RandomNumber());
  }
  for (int tries = 0; tries < 100; ++tries) {
    const uid_t uid = kFirst + next++ % kCount;
    std::string name = std::to_string(uid);
    // systemd's own record of which it has given away; who asks for names may not be told of it.
    std::error_code error;
    if (std::filesystem::exists("/run/systemd/dynamic-uid/" + name, error)) continue;
    if (::getpwuid(uid) == nullptr && ::getgrgid(uid) == nullptr && !Runs(uid)) return name;
  }
  return Fail(Unavailable("there is no user to spare for a drill's scratch token, of the numbers " +
                          std::to_string(kFirst) + " to " + std::to_string(kFirst + kCount - 1)));
}

// Work runs over there. That process removes the folder itself, for this one may be killed.
Result<Json> Work(ScratchFolder folder, const std::vector<Secret>& secrets,
                  const ScratchWork& work) {
  HoldSignals();
  auto done = work(folder.path(), secrets);
  KB_TRY(folder.Remove());
  return done;
}

}  // namespace

Result<ScratchFolder> ScratchFolder::Make(ScratchPlace place, const std::string& user) {
  int failed = 0;
  for (const char* parent : {"/dev/shm", "/tmp"}) {
    if (place == ScratchPlace::kOnlyMemory && !IsInMemory(parent)) continue;
    std::string name = std::string(parent) + "/" + kPrefix + "XXXXXX";
    if (::mkdtemp(name.data()) == nullptr) {
      failed = errno;
      continue;
    }
    ScratchFolder folder{std::filesystem::path(name)};
    const auto uid = static_cast<uid_t>(std::stoul(user));
    if (::geteuid() == 0 && ::lchown(name.c_str(), uid, uid) != 0) {
      return Fail(SystemError("cannot give " + name + " to a user of its own", errno));
    }
    return folder;
  }
  if (failed != 0) return Fail(SystemError("cannot make a folder for the drill's token", failed));
  return Fail(
      Unavailable("this drill puts the key on a token of its own, which must be in memory, and "
                  "neither /dev/shm nor /tmp is a tmpfs: mount one, or drill at level 2"));
}

std::vector<std::filesystem::path> LeftScratchFolders() {
  std::vector<std::filesystem::path> left;
  for (const char* parent : {"/dev/shm", "/tmp"}) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(parent, error)) {
      struct stat info {};
      if (!entry.path().filename().native().starts_with(kPrefix)) continue;
      if (::lstat(entry.path().c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) continue;
      const bool of_a_drill = info.st_uid >= kFirst && info.st_uid < kFirst + kCount;
      if (of_a_drill && !Runs(info.st_uid)) left.push_back(entry.path());
    }
  }
  return left;
}

ScratchFolder::~ScratchFolder() { static_cast<void>(Remove()); }

Status ScratchFolder::Remove() {
  if (path_.empty()) return {};
  const auto path = std::exchange(path_, {});
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (!std::filesystem::exists(path, error) && !error) return {};
  return Fail(Internal("the drill's token is still there: remove " + path.string()));
}

Result<ScratchChild> ScratchChild::Start(ScratchPlace place,
                                         const std::vector<const Secret*>& secrets,
                                         const ScratchWork& work) {
  KB_ASSIGN(const std::string user, ScratchUser());
  KB_ASSIGN(ScratchFolder folder, ScratchFolder::Make(place, user));
  const AskingWork there = [&](const std::vector<Secret>& received, const Ask&) {
    return Work(std::move(folder), received, work);
  };
  KB_ASSIGN(UserChild child, StartAsUser(user, secrets, there, UserChild::Ending::kCleansUp));
  return ScratchChild(std::move(folder), std::move(child));
}

Result<Json> ScratchChild::Await() && {
  auto done = std::move(child_).Await(NoQuestions);
  KB_TRY(folder_.Remove());
  return done;
}

Result<Json> RunInScratchFolder(ScratchPlace place, const std::vector<const Secret*>& secrets,
                                const ScratchWork& work) {
  KB_ASSIGN(ScratchChild child, ScratchChild::Start(place, secrets, work));
  return std::move(child).Await();
}

}  // namespace keybroker::cli
