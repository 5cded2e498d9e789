#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "cli/answer.h"
#include "cli/interruption.h"
#include "keybroker/audit/log.h"
#include "keybroker/base/result.h"
#include "keybroker/base/unique_fd.h"
#include "keybroker/config/settings.h"

namespace keybroker::cli {

// ChangeRecord is what the operator's audit chain says of a change.
struct ChangeRecord {
  std::string action;  // "key-generate"
  std::string key;     // key name; empty: none
  std::string key_id;  // CKA_ID in hex; empty: none
  std::string detail;  // listener, token, file
};

// Change is an operator's change while it is made: it holds the lock that keeps a second command
// from changing things at the same time, and the operator's audit chain, which must be writable
// before anything is done. What asks the command to end is held back until it is over: nothing that
// was done stays without its record.
class Change {
 public:
  // Begin waits a few seconds for another command to end; then Conflict.
  static Result<Change> Begin(const config::Settings& settings);

  // Record writes what was done, or tried: the status goes in as its result.
  Status Record(const ChangeRecord& record, const Status& status);

  // Done records success and asks a running broker to read its files and the tokens' keys again;
  // the answer gets a note when there is none.
  Status Done(const ChangeRecord& record, Answer& answer);

  const config::Settings& settings() const { return settings_; }

 private:
  Change(const config::Settings& settings, std::unique_ptr<Interruption> interruption,
         UniqueFd lock, audit::Log log)
      : interruption_(std::move(interruption)),
        settings_(settings),
        lock_(std::move(lock)),
        log_(std::move(log)) {}

  std::unique_ptr<Interruption> interruption_;  // ends last
  config::Settings settings_;
  UniqueFd lock_;
  audit::Log log_;
};

// RecordedFile is what a record says of a file. It stands last there: the audit log cuts long
// details, and a path can be made long.
std::string RecordedFile(const std::string& path, const std::string& sha256);

// OperatorName is who logged in, as the kernel remembers it through su and sudo, else the user.
std::string OperatorName();

// CutOff is what is said of work that failed when the command was asked to end.
Error CutOff(const Error& error);

// Recorded runs work and records how it went: a failure with its code. Asked to end meanwhile, the
// command finishes it (Interruption::Finishing).
template <typename Work>
auto Recorded(Change& change, const ChangeRecord& record, Work&& work) -> decltype(work()) {
  auto result = [&] {
    const Interruption::Finishing finishing;
    return work();
  }();
  if (!result) {
    ChangeRecord failed = record;
    if (Interruption::Asked()) {
      failed.detail += ", asked to end: whether it was done is not known";
      result = Fail(CutOff(result.error()));
    }
    // The failure that counts is the work's.
    static_cast<void>(change.Record(failed, Fail(result.error())));
  }
  return result;
}

}  // namespace keybroker::cli
