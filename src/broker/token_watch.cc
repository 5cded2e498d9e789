#include "broker/token_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include "broker/clock.h"
#include "keybroker/wire/catalogue.h"
#include "keybroker/wire/token_admin.h"

namespace keybroker::broker {
namespace {

constexpr uint64_t kFirstTicket = 1;      // wanted_ticket_ at the start
constexpr uint64_t kTickMs = 1000;        // how often the token's state is asked for
constexpr uint64_t kAwayTickMs = 100;     // the same while requests fail
constexpr uint64_t kFirstBackoffMs = 10;  // between attempts to connect
constexpr uint64_t kLastBackoffMs = 50;   // it is a connect(2) to a local socket, no more
constexpr uint64_t kParkedTickMs = 50;    // how late a parked request may learn of its deadline
constexpr uint64_t kStatusTimeoutMs = 2000;
constexpr uint64_t kCatalogueTimeoutMs = 10000;

}  // namespace

Result<std::unique_ptr<TokenWatch>> TokenWatch::Start(std::shared_ptr<TokenGate> gate,
                                                      Callbacks callbacks) {
  UniqueFd alarm(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!alarm) return Fail(SystemError("eventfd", errno));
  std::unique_ptr<TokenWatch> watch(
      new TokenWatch(std::move(gate), std::move(callbacks), std::move(alarm)));
  watch->gate_->SetWake([fd = watch->alarm_.get()] {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(fd, &one, sizeof one);
  });
  watch->thread_ = std::thread([self = watch.get()] { self->Run(); });
  return watch;
}

TokenWatch::TokenWatch(std::shared_ptr<TokenGate> gate, Callbacks callbacks, UniqueFd alarm)
    : gate_(std::move(gate)),
      callbacks_(std::move(callbacks)),
      alarm_(std::move(alarm)),
      link_(*gate_, stopping_),
      buffer_(wire::kMaxMessage + 1) {}

TokenWatch::~TokenWatch() {
  stopping_.store(true);
  gate_->Wake();
  if (thread_.joinable()) thread_.join();
  gate_->SetWake({});
}

uint64_t TokenWatch::AskForRefresh() {
  uint64_t ticket = 0;
  {
    std::lock_guard lock(mutex_);
    ticket = ++wanted_ticket_;
  }
  gate_->Wake();
  return ticket;
}

bool TokenWatch::AwaitRefresh(uint64_t ticket, uint64_t until_ms) {
  std::unique_lock lock(mutex_);
  const uint64_t now = MonotonicMs();
  const auto left = std::chrono::milliseconds(until_ms > now ? until_ms - now : 0);
  return refreshed_.wait_for(lock, left, [&] { return done_ticket_ >= ticket; });
}

void TokenWatch::FinishRefresh(uint64_t ticket) {
  {
    std::lock_guard lock(mutex_);
    done_ticket_ = std::max(done_ticket_, ticket);
  }
  refreshed_.notify_all();
}

void TokenWatch::Run() {
  while (!stopping_.load()) {
    Attend();
    if (gate_->admission().HasParked()) callbacks_.expired(*gate_);
  }
}

// Attend is one turn: connect if need be, look for news, and sleep until there may be more.
void TokenWatch::Attend() {
  uint64_t wanted = 0;
  bool refresh = false;
  {
    std::lock_guard lock(mutex_);
    wanted = wanted_ticket_;
    refresh = done_ticket_ < wanted_ticket_;
  }
  if (!link_.Connect(buffer_, MonotonicMs() + kStatusTimeoutMs)) {
    gate_->NoteLoss(TokenGate::Loss::kConnection, "nobody answers at " + gate_->socket().string());
    // The first reading is waited for as long as Start waits: broker and tokenhost may have been
    // started together.
    if (wanted != kFirstTicket) FinishRefresh(wanted);
    backoff_ms_ = std::clamp(backoff_ms_ * 2, kFirstBackoffMs, kLastBackoffMs);
    return Sleep(backoff_ms_);
  }
  backoff_ms_ = 0;
  Status status = ReadStatus();
  const auto catalogue = gate_->catalogue();
  const bool news = catalogue == nullptr || catalogue->generation != seen_generation_;
  if (status && (refresh || news)) status = ReadCatalogue();
  FinishRefresh(wanted);
  if (!status) {
    Drop(status.error().detail);
    return Sleep(kFirstBackoffMs);
  }
  Sleep(gate_->away() ? kAwayTickMs : kTickMs);
}

// Sleep ends early at an alarm, when the connection has something to say, or at the stop.
void TokenWatch::Sleep(uint64_t for_ms) {
  const bool parked = gate_->admission().HasParked();
  std::array<pollfd, 2> watched{pollfd{alarm_.get(), POLLIN, 0}, pollfd{link_.fd(), POLLIN, 0}};
  if (stopping_.load()) return;
  ::poll(watched.data(), watched.size(),
         static_cast<int>(parked ? std::min(for_ms, kParkedTickMs) : for_ms));
  uint64_t count = 0;
  if (watched[0].revents != 0) {
    [[maybe_unused]] const ssize_t n = ::read(alarm_.get(), &count, sizeof count);
  }
  // Nobody speaks unasked on this wire: it is the end of the connection, or as good as that.
  if (watched[1].revents != 0) Drop("the tokenhost closed its connection");
}

void TokenWatch::Drop(std::string_view why) {
  link_.Close();
  if (!stopping_.load()) gate_->NoteLoss(TokenGate::Loss::kConnection, why);
}

Result<wire::Frame> TokenWatch::Ask(wire::MessageType type, const wire::CatalogueRequest* request) {
  std::array<uint8_t, 64> message;
  wire::FrameWriter frame(message, link_.NextHeader(type));
  if (request != nullptr) wire::Encode(*request, frame.body());
  const size_t size = frame.Finish();
  const uint64_t timeout = request == nullptr ? kStatusTimeoutMs : kCatalogueTimeoutMs;
  wire::Frame reply;
  switch (link_.RoundTrip({message.data(), size}, buffer_, MonotonicMs() + timeout, &reply)) {
    case Trip::kReply:
      return reply;
    case Trip::kTimedOut:
      return Fail(Unavailable("the tokenhost does not answer"));
    case Trip::kNotThere:
    case Trip::kLost:
      break;
  }
  return Fail(Unavailable("the connection to the tokenhost ended"));
}

Status TokenWatch::ReadStatus() {
  KB_ASSIGN(const wire::Frame reply, Ask(wire::MessageType::kTokenStatusRequest, nullptr));
  const auto status = reply.header.type == wire::MessageType::kTokenStatusReply
                          ? wire::DecodeTokenStatus(reply.body)
                          : std::nullopt;
  if (!status) return Fail(Malformed("the tokenhost's status is malformed"));
  seen_generation_ = status->generation;
  if (status->state == wire::TokenState::kReady) {
    gate_->NoteWorking();
  } else {
    gate_->NoteLoss(TokenGate::Loss::kToken,
                    "its tokenhost says it is " + std::string(wire::TokenStateName(status->state)));
  }
  Learn({true, status->state, status->pid, std::string(status->label), std::string(status->serial),
         std::string(status->model), std::string(status->detail)});
  return {};
}

void TokenWatch::Learn(TokenReport report) {
  const TokenReport before = gate_->report();
  if (!before.known || before.state != report.state || before.detail != report.detail) {
    const bool well = report.state == wire::TokenState::kReady;
    gate_->lines().Write(well ? LogLevel::kNotice : LogLevel::kWarning,
                         "token " + gate_->name() + " is " +
                             std::string(wire::TokenStateName(report.state)) +
                             (report.detail.empty() ? "" : ": " + report.detail));
  }
  gate_->SetReport(std::move(report));
}

Status TokenWatch::ReadCatalogue() {
  auto catalogue = std::make_shared<TokenCatalogue>();
  KB_TRY(ReadPages(*catalogue));
  if (catalogue->generation == 0) return {};
  const auto before = gate_->catalogue();
  if (before != nullptr && before->token_present && !catalogue->token_present) {
    // The token is out; its keys are remembered, so that listeners that start now find them.
    auto kept = std::make_shared<TokenCatalogue>(*before);
    kept->generation = catalogue->generation;
    catalogue = std::move(kept);
  }
  gate_->SetCatalogue(std::move(catalogue));
  callbacks_.changed();
  return {};
}

Status TokenWatch::ReadPages(TokenCatalogue& catalogue) {
  constexpr int kMaxRestarts = 3;
  uint32_t total = 0;
  for (int restarts = 0;;) {
    const auto first = static_cast<uint32_t>(catalogue.keys.size());
    const wire::CatalogueRequest request{first == 0 ? 0 : catalogue.generation, first};
    KB_ASSIGN(const wire::Frame reply, Ask(wire::MessageType::kCatalogueRequest, &request));
    // It cannot list its keys just now (a token that is out): no reason to give the connection up.
    if (first == 0 && reply.header.type == wire::MessageType::kFailure) return {};
    if (reply.header.type != wire::MessageType::kCataloguePage) {
      return Fail(Malformed("the tokenhost gives no catalogue"));
    }
    Status appended = AppendPage(reply.body, catalogue, total);
    if (appended && catalogue.keys.size() == total) return {};
    if (appended) continue;
    // The catalogue may have changed between two pages: begin again, but not for ever.
    if (first == 0 || ++restarts > kMaxRestarts) return appended;
    catalogue = {};
  }
}

}  // namespace keybroker::broker
