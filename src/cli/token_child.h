#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cli/answer.h"
#include "cli/child_words.h"
#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"
#include "keybroker/base/unique_fd.h"
#include "keybroker/config/settings.h"
#include "keybroker/token/config.h"

namespace keybroker::cli {

// TokenWork is done where the vendor's module is loaded; it gets copies of the secrets and hands
// back JSON.
using TokenWork = std::function<Result<Json>(const std::vector<Secret>& secrets)>;

// Ask puts a question to the parent from within the work, and waits for its answer.
using Ask = std::function<Result<Json>(const Json& question)>;

// AskingWork is TokenWork that may ask; Answerer answers in the parent, which reads the question as
// hostile. Questions and answers cross processes in the clear of JSON: nothing secret goes in.
using AskingWork = std::function<Result<Json>(const std::vector<Secret>& secrets, const Ask& ask)>;
using Answerer = std::function<Result<Json>(const Json& question)>;

// NoQuestions is the Answerer of work that asks nothing.
Result<Json> NoQuestions(const Json& question);

// ChildKind is what a child's crash is blamed on: a vendor's module, or the file that it reads.
enum class ChildKind { kToken, kFile };

// Borrow is when a running tokenhost lets go of its token: for one that admits one process at a
// time (its profile's several_processes), or for a token that is made anew, too.
enum class Borrow { kIfItAdmitsOneProcess, kAlways };

// RunAsTokenUser does work in a child process that has become settings.token_user when we are root:
// what it creates on the token belongs to who must read it, and a vendor's module never runs as
// root, nor in the process that writes configuration. A crash of it is an error like any other.
// Secrets travel over a socket pair, since a fork does not inherit them; so does the result, which
// the parent reads as hostile. Input files are read before, by the parent; output files are written
// after, by the parent.
//
// The token is borrowed from its tokenhost meanwhile, as borrow says: signatures wait until this
// returns.
Result<Json> RunAsTokenUser(const config::Settings& settings, const token::TokenConfig& config,
                            const std::vector<const Secret*>& secrets, const TokenWork& work,
                            Borrow borrow = Borrow::kIfItAdmitsOneProcess);
Result<Json> RunAsTokenUser(const config::Settings& settings, const token::TokenConfig& config,
                            const std::vector<const Secret*>& secrets, const AskingWork& work,
                            const Answerer& answer, Borrow borrow = Borrow::kIfItAdmitsOneProcess);

// UserChild is a process that works as another user, until its result is awaited. Ended, and waited
// for, when it goes without that. Move-only.
class UserChild {
 public:
  // Ending is what becomes of it when it is not wanted any more: it is killed, or asked to end, for
  // one that has to clean up and loads no vendor's module.
  enum class Ending { kKilled, kCleansUp };

  UserChild(UserChild&& other) noexcept;
  UserChild& operator=(UserChild&&) = delete;
  ~UserChild();

  // Await gives the work's result, and answers its questions until then.
  Result<Json> Await(const Answerer& answer, ChildKind kind = ChildKind::kToken) &&;

 private:
  friend Result<UserChild> StartAsUser(const std::string& user,
                                       const std::vector<const Secret*>& secrets,
                                       const AskingWork& work, UserChild::Ending ending);
  UserChild(pid_t pid, Ending ending, UniqueFd channel, ChildWords words)
      : pid_(pid), ending_(ending), channel_(std::move(channel)), words_(std::move(words)) {}
  Status Wait(ChildKind kind);
  Result<std::string> Receive();
  bool AwaitText();
  void EndIfAsked();
  void End(bool at_once);

  pid_t pid_;  // 0 once it was waited for
  Ending ending_;
  bool told_ = false;  // the operator, that the child finishes first
  unsigned looks_after_ending_ = 0;
  UniqueFd pidfd_;  // readable once it has ended
  UniqueFd channel_;
  ChildWords words_;
};

// StartAsUser begins what RunAsUser does. Several may run side by side.
Result<UserChild> StartAsUser(const std::string& user, const std::vector<const Secret*>& secrets,
                              const AskingWork& work,
                              UserChild::Ending ending = UserChild::Ending::kKilled);

// RunAsUser is the same as another user, by name or decimal uid; as whoever we are when we are not
// root.
Result<Json> RunAsUser(const std::string& user, const std::vector<const Secret*>& secrets,
                       const TokenWork& work, ChildKind kind = ChildKind::kToken);
Result<Json> RunAsUser(const std::string& user, const std::vector<const Secret*>& secrets,
                       const AskingWork& work, const Answerer& answer,
                       ChildKind kind = ChildKind::kToken);

}  // namespace keybroker::cli
