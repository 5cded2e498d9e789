#include "broker/auditor.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "keybroker/base/log.h"
#include "keybroker/base/unique_fd.h"

namespace keybroker::broker {
namespace {

constexpr unsigned kRefusalsOneByOne = 5;  // of a listener in each second
constexpr size_t kMaxSums = 4096;          // kinds of record that one second can hold

audit::Event EventOf(std::string_view action, const Deed& deed) {
  audit::Event event;
  event.action = action;
  event.subject = deed.listener;
  event.uid = deed.uid;
  event.pid = deed.pid;
  event.key = deed.key;
  event.key_id = deed.key_id;
  event.mechanism = deed.mechanism;
  event.decision = deed.decision;
  event.result = deed.result;
  event.detail = deed.detail;
  return event;
}

}  // namespace

Result<std::unique_ptr<Auditor>> Auditor::Open(const config::Settings& settings) {
  KB_ASSIGN(audit::Log log, audit::Log::Open(settings.BrokerAudit()));
  return std::unique_ptr<Auditor>(new Auditor(std::move(log), settings));
}

Auditor::Auditor(audit::Log log, const config::Settings& settings)
    : signatures_(settings.signatures),
      on_failure_(settings.on_failure),
      path_(settings.BrokerAudit()),
      max_size_(settings.rotate_mib << 20),
      book_(std::move(log)) {}

bool Auditor::Append(Book& book, const audit::Event& event) {
  const Status status = book.log.Append(event);
  if (status) return true;
  book.unrecorded += event.count;
  if (!failing_.exchange(true)) {
    LogError(std::string("the audit log cannot be written; ") +
                 (on_failure_ == config::AuditFailure::kRefuse
                      ? "signatures are refused until it can"
                      : "signatures go on unrecorded until it can"),
             status.error());
  }
  return false;
}

bool Auditor::Signed(const Deed& deed) {
  const bool recorded = book_.With([&](Book& book) {
    if (signatures_ == config::SignatureAudit::kPerSecond) {
      AddToSums(book, "sign", deed);
      return true;
    }
    return Append(book, EventOf("sign", deed));
  });
  return recorded || on_failure_ == config::AuditFailure::kContinue;
}

void Auditor::Refused(std::string_view action, const Deed& deed) {
  book_.With([&](Book& book) {
    auto counted = book.refusals_this_second.find(deed.listener);
    if (counted == book.refusals_this_second.end()) {
      counted = book.refusals_this_second.emplace(std::string(deed.listener), 0U).first;
    }
    if (counted->second < kRefusalsOneByOne) {
      ++counted->second;
      Append(book, EventOf(action, deed));
    } else {
      AddToSums(book, action, deed);
    }
  });
}

void Auditor::Note(std::string_view action, std::string_view detail) {
  audit::Event event;
  event.action = action;
  event.subject = "keybrokerd";
  event.uid = ::geteuid();
  event.pid = ::getpid();
  event.result = "ok";
  event.detail = detail;
  book_.With([&](Book& book) { Append(book, event); });
}

void Auditor::AddToSums(Book& book, std::string_view action, const Deed& deed) {
  Sum sum{std::string(action),         std::string(deed.listener),
          std::string(deed.key),       std::string(deed.key_id),
          std::string(deed.mechanism), std::string(deed.decision),
          std::string(deed.result),    deed.uid};
  if (book.sums.size() >= kMaxSums && !book.sums.contains(sum)) {
    sum = Sum{std::string(action),
              std::string(deed.listener),
              {},
              {},
              {},
              std::string(deed.decision),
              {},
              0};
  }
  ++book.sums[std::move(sum)];
}

void Auditor::WriteSums(Book& book) {
  while (!book.sums.empty() && !failing_.load(std::memory_order_relaxed)) {
    const auto& [sum, count] = *book.sums.begin();
    audit::Event event = EventOf(sum.action, {sum.listener,
                                              sum.uid,
                                              0,
                                              sum.key,
                                              sum.key_id,
                                              sum.mechanism,
                                              sum.decision,
                                              sum.result,
                                              {}});
    event.count = count;
    // What cannot be written now stays, and is tried again.
    const uint64_t unrecorded = book.unrecorded;
    if (!Append(book, event)) {
      book.unrecorded = unrecorded;
      return;
    }
    book.sums.erase(book.sums.begin());
  }
}

void Auditor::Recover(Book& book) {
  if (!failing_.load(std::memory_order_relaxed)) return;
  audit::Event event;
  event.action = "audit-gap";
  event.subject = "keybrokerd";
  event.uid = ::geteuid();
  event.pid = ::getpid();
  event.count = book.unrecorded == 0 ? 1 : book.unrecorded;
  event.result = "ok";
  event.detail = "the log could not be written; count is how many records are missing";
  if (!book.log.Append(event)) return;
  book.unrecorded = 0;
  failing_.store(false);
  Log(LogLevel::kNotice, "the audit log can be written again");
}

void Auditor::Rotate(Book& book) {
  if (max_size_ == 0 || book.log.size() < max_size_ || failing_.load()) return;
  const Status status = book.log.Rotate();
  if (status) {
    Log(LogLevel::kNotice, "the audit log was full; a new one has begun beside the old");
  } else if (!book.rotation_failed) {
    LogError("the audit log is too long, but no new one can be begun; it goes on", status.error());
  }
  book.rotation_failed = !status;
}

void Auditor::Tick() {
  // The slow part of a sync, away from the lock that every signature takes.
  if (const UniqueFd fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)); fd) {
    ::fdatasync(fd.get());
  }
  book_.With([&](Book& book) {
    book.refusals_this_second.clear();
    Recover(book);
    WriteSums(book);
    const Status synced = book.log.Sync();
    if (!synced && !failing_.exchange(true))
      LogError("the audit log cannot be synced", synced.error());
    Rotate(book);
  });
}

Auditor::State Auditor::state() const {
  return book_.With([&](Book& book) {
    return State{book.log.head(), !failing_.load(), book.unrecorded};
  });
}

}  // namespace keybroker::broker
