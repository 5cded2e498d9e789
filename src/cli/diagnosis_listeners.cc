#include <sys/stat.h>

#include <system_error>

#include "cli/diagnosis.h"
#include "cli/listener_file.h"
#include "cli/socket_access.h"
#include "keybroker/base/process.h"

namespace keybroker::cli {
namespace {

std::string ProblemWithSocket(const std::filesystem::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && S_ISSOCK(info.st_mode)) return {};
  return "its socket " + path.string() +
         " is not there: look at the broker's log; a socket that was deleted is made anew when the "
         "broker is restarted";
}

std::string ProblemWithListener(const config::Settings& settings, const policy::Listener& listener,
                                bool broker_runs) {
  for (const std::string& user : listener.users) {
    if (!FindUser(user)) {
      return "there is no user \"" + user + "\": is the server installed? Else correct users in " +
             settings.ListenerFile(listener.name).string();
    }
  }
  if (auto problem = ShutOutText(settings, listener); !problem.empty()) return problem;
  const auto socket = SocketOf(settings, listener);
  if (broker_runs) {
    if (auto problem = ProblemWithSocket(socket); !problem.empty()) return problem;
    for (const auto& jail : listener.jails) {
      std::error_code error;
      if (!std::filesystem::is_directory(jail, error)) {
        return "its jail " + jail.string() +
               " is not a directory, so processes in it are not served: make it (is the server "
               "installed?) or take it out of jails in " +
               settings.ListenerFile(listener.name).string() + ", then `keybroker reload`";
      }
      auto problem = ProblemWithSocket(jail / socket.relative_path());
      if (!problem.empty()) return problem;
    }
  }
  return {};
}

}  // namespace

void ExamineListeners(const config::Settings& settings, bool broker_runs, Diagnosis& diagnosis) {
  const auto names = ListenerNames(settings);
  if (!names) {
    diagnosis.Wrong("listeners", names.error().detail);
    return;
  }
  if (names->empty()) {
    diagnosis.Warn("listeners", "there is none: `keybroker listener add NAME --user USER`");
  }
  for (const std::string& name : *names) {
    const std::string subject = "listener " + name;
    const auto listener = LoadListener(settings, name);
    if (!listener) {
      diagnosis.Wrong(subject, listener.error().detail);
      continue;
    }
    const std::string problem = ProblemWithListener(settings, *listener, broker_runs);
    if (!problem.empty()) {
      diagnosis.Wrong(subject, problem);
    } else if (listener->bindings.empty()) {
      diagnosis.Warn(subject, "no key is bound to it: `keybroker listener bind " + name + " KEY`");
    } else {
      diagnosis.Ok(subject, SocketOf(settings, *listener).string());
    }
  }
}

}  // namespace keybroker::cli
