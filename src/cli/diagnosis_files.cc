#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "cli/diagnosis.h"
#include "cli/listener_side.h"
#include "cli/run_programs.h"
#include "cli/scratch_folder.h"
#include "cli/token_child.h"
#include "keybroker/base/printable.h"
#include "keybroker/base/process.h"
#include "keybroker/base/shell_quote.h"
#include "keybroker/token/check_library.h"

namespace keybroker::cli {
namespace {

bool IsOwner(const std::string& owner, uid_t uid) {
  // Without root's rights everything is one user's, or this is a look at root's installation.
  if ((owner.empty() || ::geteuid() != 0) && (uid == 0 || uid == ::geteuid())) return true;
  if (owner.empty()) return false;
  const auto user = FindUser(owner);
  return user && user->uid == uid;
}

void Examine(const std::string& subject, const OwnedPath& wanted, Diagnosis& diagnosis) {
  const std::string problem = ProblemWith(wanted);
  if (problem.empty()) {
    diagnosis.Ok(subject, wanted.path.string());
  } else {
    diagnosis.Wrong(subject, problem);
  }
}

void ExamineUser(const std::string& role, const std::string& name, Diagnosis& diagnosis) {
  if (FindUser(name)) {
    diagnosis.Ok(role, name);
  } else {
    diagnosis.Wrong(role, "there is no user \"" + name +
                              "\": useradd --system --no-create-home --shell /usr/sbin/nologin " +
                              name);
  }
}

// ProblemOfNobody loads the file as listeners do, in a process of its own that is nobody; empty
// when it is a library that has the symbol.
std::string ProblemOfNobody(const std::filesystem::path& file, const char* symbol) {
  constexpr unsigned kSeconds = 10;
  const auto loaded = RunAsUser("nobody", {}, [&](const std::vector<Secret>&) -> Result<Json> {
    ::alarm(kSeconds);
    return Json{{"why", token::ProblemWithLibrary(file, symbol)}};
  });
  const std::string why = loaded ? GetText(*loaded, "why") : loaded.error().detail;
  return why.empty() ? "" : file.string() + " is none that can be loaded: " + why;
}

void ExamineLibrary(const std::string& subject, const OwnedPath& wanted, const char* symbol,
                    Diagnosis& diagnosis) {
  std::string problem = ProblemWith(wanted);
  if (problem.empty()) {
    problem = ProblemOfNobody(wanted.path, symbol);
    if (!problem.empty()) problem += ": " + wanted.remedy;
  }
  if (problem.empty()) {
    diagnosis.Ok(subject, wanted.path.string());
  } else {
    diagnosis.Wrong(subject, problem);
  }
}

}  // namespace

std::string ProblemWith(const OwnedPath& wanted) {
  struct stat info {};
  const std::string path = wanted.path.string();
  if (::stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return path + " is missing: " + wanted.remedy;
    return path + " cannot be looked at: " + std::generic_category().message(errno) +
           ". Run this as root";
  }
  if (!IsOwner(wanted.owner, info.st_uid)) {
    const std::string owner = wanted.owner.empty() ? "root" : wanted.owner;
    return path + " belongs to uid " + std::to_string(info.st_uid) + ": chown " + owner + " " +
           ShellQuote(path);
  }
  const mode_t forbidden = wanted.is_private ? 0077 : 0022;
  if ((info.st_mode & forbidden) == 0) return {};
  return path +
         (wanted.is_private ? " is open to others: chmod go= "
                            : " can be written by others: "
                              "chmod go-w ") +
         ShellQuote(path);
}

void ExamineFiles(const config::Settings& settings, Diagnosis& diagnosis) {
  if (::geteuid() == 0) {
    ExamineUser("broker user", settings.broker_user, diagnosis);
    ExamineUser("token user", settings.token_user, diagnosis);
    if (settings.broker_user == settings.token_user) {
      diagnosis.Warn("users",
                     "broker and tokenhost run as the same user: a broken-into broker "
                     "could read the PIN. Set two in [users] of keybroker.toml");
    }
  }
  Examine("keybroker.toml", {settings.file, "", false}, diagnosis);
  Examine("listeners", {settings.listeners_dir, "", false}, diagnosis);
  Examine("tokens", {settings.tokens_dir, "", false}, diagnosis);
  Examine("broker state", {settings.BrokerStateDir(), settings.broker_user, true}, diagnosis);
  Examine("token state", {settings.TokenStateDir(), settings.token_user, true}, diagnosis);
  Examine("operator state", {settings.OperatorStateDir(), "", true}, diagnosis);
}

void ExamineScratch(Diagnosis& diagnosis) {
  for (const auto& folder : LeftScratchFolders()) {
    const std::string name = EscapeUnprintable(folder.string());
    diagnosis.Warn("drill", "one that was killed left " + name +
                                ", with a key on a token of its own: rm -r " + ShellQuote(name));
  }
}

void ExaminePrograms(Diagnosis& diagnosis) {
  const auto programs = RunPrograms::Find("");
  if (programs) {
    diagnosis.Ok("broker and tokenhost", "installed in " + programs->directory().string());
  } else {
    diagnosis.Wrong("broker and tokenhost", programs.error().detail);
  }
}

void ExamineListenerSide(const std::filesystem::path& module, const std::filesystem::path& engine,
                         Diagnosis& diagnosis) {
  const ListenerSide side = FindListenerSide(module, engine);
  const std::string remedy = "install keybroker's libraries, or say where it is with --";
  ExamineLibrary("listener module", {side.module, "", false, remedy + "module"},
                 "C_GetFunctionList", diagnosis);
  ExamineLibrary("OpenSSL engine", {side.engine, "", false, remedy + "engine"}, "bind_engine",
                 diagnosis);
}

}  // namespace keybroker::cli
