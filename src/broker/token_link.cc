#include "broker/token_link.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include "broker/clock.h"
#include "keybroker/ipc/connect.h"

namespace keybroker::broker {
namespace {

// How long one blocking call may take before the deadline is looked at again.
constexpr std::chrono::milliseconds kSlice{50};

// After a stop was asked for, whoever waits for a token waits no longer.
bool Over(uint64_t until_ms, const std::atomic<bool>& stopping) {
  return stopping.load(std::memory_order_relaxed) || MonotonicMs() >= until_ms;
}

}  // namespace

bool TokenLink::Connect(std::span<uint8_t> receive, uint64_t until_ms) {
  if (fd_) return true;
  // A tokenhost whose backlog is full must not hold this thread.
  auto opened = ipc::Connect(gate_.socket(), kSlice, ipc::FullBacklog::kFail);
  if (!opened) return false;
  fd_ = std::move(*opened);
  if (!SayHello(receive, until_ms)) {
    fd_.Reset();
    return false;
  }
  gate_.NoteGeneration(greeting_.generation);
  if (greeting_.token_present) gate_.NoteConnected();
  return true;
}

bool TokenLink::SayHello(std::span<uint8_t> receive, uint64_t until_ms) {
  std::array<uint8_t, 64> buffer;
  version_ = 0;  // Hello and its reply are the same in every version
  wire::FrameWriter frame(buffer, NextHeader(wire::MessageType::kHello));
  wire::Encode(wire::Hello{wire::kMinVersion, wire::kVersion}, frame.body());
  const size_t size = frame.Finish();
  wire::Frame reply;
  if (!Send({buffer.data(), size}, until_ms) ||
      Receive(receive, until_ms, &reply) != Trip::kReply ||
      reply.header.type != wire::MessageType::kHelloReply) {
    return false;
  }
  const auto hello = wire::DecodeHelloReply(reply.body);
  if (!hello || hello->version < wire::kMinVersion || hello->version > wire::kVersion) return false;
  version_ = hello->version;
  greeting_ = {hello->token_present, hello->generation};
  return true;
}

wire::Header TokenLink::NextHeader(wire::MessageType type) {
  return wire::Header{type, version_, ++request_id_};
}

bool TokenLink::Send(wire::Bytes message, uint64_t until_ms) {
  for (;;) {
    const ssize_t n = ::send(fd_.get(), message.data(), message.size(), MSG_NOSIGNAL);
    if (n >= 0) return static_cast<size_t>(n) == message.size();
    if (errno != EAGAIN && errno != EINTR) return false;
    if (Over(until_ms, stopping_)) return false;
  }
}

Trip TokenLink::Receive(std::span<uint8_t> receive, uint64_t until_ms, wire::Frame* reply) {
  for (;;) {
    const ssize_t n = ::recv(fd_.get(), receive.data(), receive.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
      if (Over(until_ms, stopping_)) return Trip::kTimedOut;
      continue;
    }
    if (n <= 0) return Trip::kLost;
    const auto frame = wire::DecodeFrame({receive.data(), static_cast<size_t>(n)});
    if (!frame || frame->header.request_id != request_id_ || frame->header.version != version_) {
      return Trip::kLost;
    }
    *reply = *frame;
    return Trip::kReply;
  }
}

Trip TokenLink::RoundTrip(wire::Bytes message, std::span<uint8_t> receive, uint64_t until_ms,
                          wire::Frame* reply) {
  if (!fd_) return Trip::kNotThere;
  if (!Send(message, until_ms)) {
    fd_.Reset();
    return Trip::kNotThere;
  }
  const Trip trip = Receive(receive, until_ms, reply);
  if (trip != Trip::kReply) fd_.Reset();
  return trip;
}

}  // namespace keybroker::broker
