#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "keybroker/audit/log.h"
#include "keybroker/base/guarded.h"
#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"

namespace keybroker::broker {

// Deed is one request as the audit log records it; the views live as long as the call.
struct Deed {
  std::string_view listener;
  uid_t uid = 0;
  pid_t pid = 0;
  std::string_view key;
  std::string_view key_id;
  std::string_view mechanism;
  std::string_view decision;
  std::string_view result;
  std::string_view detail;  // not in a sum: a peer could make every one of them different
};

// Auditor is the one writer of the broker's audit chain. Thread-safe.
//
// Signatures are recorded each or summed per second, as configured; refusals the first few of each
// second and listener one by one, and the rest summed when the second is over: what one listener
// provokes hides nothing of another. While the log cannot be written
// (a full disk) signatures are refused, or go on uncounted in the log, as configured; both is said
// once, and the first record after that tells how many are missing.
class Auditor {
 public:
  // Open opens the chain. Conflict when another broker writes it.
  static Result<std::unique_ptr<Auditor>> Open(const config::Settings& settings);

  // MayGrant is false while signatures must be refused because they could not be recorded.
  bool MayGrant() const {
    return !failing_.load(std::memory_order_relaxed) ||
           on_failure_ == config::AuditFailure::kContinue;
  }

  // Signed records a signature; false: it could not be recorded, and must not be given out.
  bool Signed(const Deed& deed);

  // Refused records a denial, a failure of the token, or any request that got no signature.
  void Refused(std::string_view action, const Deed& deed);

  // Note records what is not about a request, such as "start".
  void Note(std::string_view action, std::string_view detail);

  // Tick is called about once a second: it writes the sums, tries again what failed, syncs, and
  // begins a new log where this one has grown too long.
  void Tick();

  struct State {
    audit::Head head;
    bool writing = true;
    uint64_t unrecorded = 0;
  };
  State state() const;

 private:
  // OwnedDeed is a Deed that waits for the end of its second.
  struct Sum {
    std::string action, listener, key, key_id, mechanism, decision, result;
    uid_t uid = 0;
    // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 takes the 0 behind <=> for a pointer
    auto operator<=>(const Sum&) const = default;
  };
  struct Book {
    explicit Book(audit::Log opened) : log(std::move(opened)) {}
    audit::Log log;
    std::map<Sum, uint64_t> sums;
    std::map<std::string, unsigned, std::less<>> refusals_this_second;  // by listener
    uint64_t unrecorded = 0;
    bool rotation_failed = false;  // said once
  };

  Auditor(audit::Log log, const config::Settings& settings);

  bool Append(Book& book, const audit::Event& event);
  void AddToSums(Book& book, std::string_view action, const Deed& deed);
  void WriteSums(Book& book);
  void Recover(Book& book);
  void Rotate(Book& book);

  const config::SignatureAudit signatures_;
  const config::AuditFailure on_failure_;
  const std::filesystem::path path_;
  const uint64_t max_size_;  // bytes; 0: no end
  std::atomic<bool> failing_{false};
  mutable Guarded<Book> book_;
};

}  // namespace keybroker::broker
