#include "cli/drill_listener/rehearsal.h"

#include <signal.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <system_error>
#include <vector>

#include "cli/drill_listener/handshake.h"
#include "cli/drill_listener/listener.h"
#include "cli/drill_listener/stack.h"
#include "cli/scratch_token.h"
#include "keybroker/token/key_wrap.h"

namespace keybroker::cli {
namespace {

using Clock = std::chrono::steady_clock;

double PassedMs(Clock::time_point begun) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begun).count();
}

// Step names what failed, where it failed.
template <typename T>
Result<T> Step(const std::string& step, Result<T> result) {
  if (result) return result;
  Error error = std::move(result).error();
  error.detail = step + ": " + error.detail;
  return Fail(std::move(error));
}

// RestoreHere runs where SoftHSM is loaded: in a process that ends when it is done.
Result<Json> RestoreHere(const std::filesystem::path& folder, const token::TokenConfig& config,
                         const std::vector<Secret>& secrets, const backup::Backup& backup) {
  const auto& manifest = backup.manifest;
  KB_ASSIGN(const auto token, MakeScratchToken(config, folder, secrets[1]));
  const std::string name = token.info().manufacturer + " " + token.info().model;
  KB_ASSIGN(const auto session, token.OpenSession(true));
  const auto begun = Clock::now();
  const auto key = token::RestoreKey(session, backup.key, secrets[0],
                                     {manifest.name, manifest.type, manifest.spki, false, false});
  const Status done = key ? token::WriteCertificate(session, *key, backup.chain.front().der)
                          : Status(Fail(key.error()));
  return Json{{"token", name},
              {"failure", done ? "" : "restoring the key: " + done.error().detail},
              {"refuted", !key && key.error().code != ErrorCode::kNotFound},
              {"restore_ms", PassedMs(begun)}};
}

// Shake is one listener and its handshake.
Result<Json> Shake(const DrillStack& stack, const backup::Backup& backup, TlsVersion version) {
  const auto& manifest = backup.manifest;
  const auto begun = Clock::now();
  KB_ASSIGN(DrillListener listener,
            Step("loading the key as a listener does", StartListener(stack.files())));
  const double load_ms = PassedMs(begun);
  const std::string step = "the TLS " + TlsVersionName(version) + " handshake";
  auto made = ShakeHandsWithListener(listener.connection.get(),
                                     {version, manifest.type, manifest.name, backup.chain});
  listener.connection.Reset();
  // It has written down what it met once it has ended.
  const Status ended = listener.process.Await();
  KB_ASSIGN(const DrillHandshake shown, Step(step, std::move(made)));
  KB_TRY(Step(step + ", at the listener's end", ended));
  return Json{{"version", shown.version},
              {"cipher", shown.cipher},
              {"signature", shown.signature},
              {"load_ms", load_ms},
              {"ms", shown.ms}};
}

Status ServeAndShake(DrillStack& stack, const RehearsalParts& parts, const Secret& pin,
                     const backup::Backup& backup, Json& json) {
  const auto begun = Clock::now();
  KB_TRY(stack.Start(parts.programs, pin));
  json["start_ms"] = PassedMs(begun);
  for (const TlsVersion version : {TlsVersion::k13, TlsVersion::k12}) {
    KB_ASSIGN(Json made, Shake(stack, backup, version));
    json["tls"].push_back(std::move(made));
  }
  return {};
}

Result<Json> RehearseIn(const std::filesystem::path& folder, const config::Settings& settings,
                        const RehearsalParts& parts, const Secret& kek,
                        const backup::Backup& backup) {
  const auto begun = Clock::now();
  KB_TRY(DrillStack::LogTo(folder));
  KB_ASSIGN(const auto config, ScratchTokenConfig(folder, parts.softhsm));
  KB_ASSIGN(const Secret pin, RandomPin());
  KB_ASSIGN(Json json, RunVendorPart({&kek, &pin}, [&](const std::vector<Secret>& received) {
              return RestoreHere(folder, config, received, backup);
            }));
  json["tls"] = Json::array();
  json["pids"] = Json::array();
  if (!GetText(json, "failure").empty()) return json;
  KB_ASSIGN(auto stack,
            DrillStack::Configure(folder, settings.profiles_dir, config, backup, parts.libraries));
  const Status served = ServeAndShake(stack, parts, pin, backup, json);
  const Status stopped = stack.Stop();
  for (const pid_t pid : stack.pids()) json["pids"].push_back(pid);
  json["ms"] = PassedMs(begun);
  const Status& status = served ? stopped : served;
  if (status) return json;
  const std::string said = DrillStack::LastWords(folder);
  json["failure"] = status.error().detail + (said.empty() ? "" : ". Their log ends: " + said);
  return json;
}

Status ProcessesSeenToBeGone(const Json& json) {
  const auto pids = json.find("pids");
  if (pids == json.end()) return Fail(Internal("the drill's process gave no account of itself"));
  for (const Json& pid : *pids) {
    if (!pid.is_number_integer() || ::kill(pid.get<pid_t>(), 0) == 0 || errno != ESRCH) {
      return Fail(Internal("a process of the drill is still there: end " + pid.dump()));
    }
  }
  return {};
}

}  // namespace

Result<RehearsalParts> RehearsalParts::Find(const std::string& softhsm) {
  KB_ASSIGN(auto programs, RunPrograms::Find(""));
  ListenerSide libraries = FindListenerSide("", "");
  std::error_code error;
  for (const auto& file : {libraries.module, libraries.engine}) {
    if (std::filesystem::exists(file, error)) continue;
    return Fail(NotFound("a drill at level 3 loads the key as a listener does, and there is no " +
                         file.string() + ": install it, or drill at level 2"));
  }
  return RehearsalParts{softhsm, std::move(programs), std::move(libraries)};
}

Result<Rehearsal> Rehearsal::Start(const config::Settings& settings, const RehearsalParts& parts,
                                   const Secret& kek, const backup::Backup& backup) {
  if (backup.chain.empty()) {
    return Rehearsal(
        Json{{"failure",
              "the backup has no certificate, so that no TLS handshake can prove its key: drill "
              "it at level 2. A backup at birth never has one; of an exportable key, one that "
              "is exported once a certificate is installed has it"}});
  }
  Rehearsal rehearsal{Json()};
  KB_ASSIGN(ScratchChild child,
            ScratchChild::Start(ScratchPlace::kOnlyMemory, {&kek},
                                [&](const auto& folder, const std::vector<Secret>& secrets) {
                                  ::signal(SIGPIPE, SIG_IGN);
                                  return RehearseIn(folder, settings, parts, secrets[0], backup);
                                }));
  rehearsal.child_.emplace(std::move(child));
  return rehearsal;
}

Result<Json> Rehearsal::Await() && {
  if (!child_) return std::move(known_);
  KB_ASSIGN(Json json, std::move(*child_).Await());
  KB_TRY(ProcessesSeenToBeGone(json));
  json["token"] = "scratch token in memory: " + GetText(json, "token") +
                  ", through keybrokerd, module and engine";
  return json;
}

}  // namespace keybroker::cli
