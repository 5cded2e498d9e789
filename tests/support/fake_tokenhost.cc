#include "support/fake_tokenhost.h"

#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "keybroker/wire/hello.h"

namespace keybroker::test {
namespace {

constexpr std::chrono::seconds kPatience{30};

bool SendAll(int fd, wire::Bytes message) {
  return ::send(fd, message.data(), message.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(message.size());
}

}  // namespace

void FakeTokenhost::Start() {
  {
    std::lock_guard lock(mutex_);
    killed_ = false;
  }
  server_.Start();
}

void FakeTokenhost::Kill() {
  {
    std::lock_guard lock(mutex_);
    killed_ = true;
  }
  changed_.notify_all();
  server_.Kill();
}

void FakeTokenhost::Serve(int fd) {
  std::vector<uint8_t> buffer(wire::kMaxMessage);
  for (;;) {
    const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (size <= 0) break;
    const auto frame = wire::DecodeFrame({buffer.data(), static_cast<size_t>(size)});
    if (!frame || !Answer(fd, *frame)) break;
  }
}

bool FakeTokenhost::Answer(int fd, const wire::Frame& frame) {
  if (frame.header.type == wire::MessageType::kSignRequest) return AnswerSign(fd, frame);
  std::vector<uint8_t> buffer(wire::kMaxMessage);
  wire::Header header = frame.header;
  header.type = static_cast<wire::MessageType>(static_cast<uint16_t>(header.type) + 1);
  wire::FrameWriter reply(buffer, header);
  {
    std::lock_guard lock(mutex_);
    // A process that was killed greets nobody: who connects while the connections are still being
    // ended one by one would otherwise lose a second request to the same death.
    if (killed_) return false;
    if (frame.header.type == wire::MessageType::kHello) {
      wire::Encode(wire::HelloReply{wire::kVersion, state_ == wire::TokenState::kReady,
                                    catalogue_.generation, "fake"},
                   reply.body());
    } else if (frame.header.type == wire::MessageType::kCatalogueRequest) {
      const auto request = wire::DecodeCatalogueRequest(frame.body);
      if (!request) return false;
      catalogue_.EncodePage(*request, reply.body());
    } else if (frame.header.type == wire::MessageType::kTokenStatusRequest) {
      wire::Encode(
          wire::TokenStatus{state_, static_cast<uint32_t>(::getpid()), catalogue_.generation,
                            static_cast<uint32_t>(catalogue_.keys.size()), "fake token", "0001",
                            "fake", ""},
          reply.body());
    } else {
      return false;
    }
  }
  const size_t size = reply.Finish();
  return size != 0 && SendAll(fd, {buffer.data(), size});
}

bool FakeTokenhost::AnswerSign(int fd, const wire::Frame& frame) {
  const auto request = wire::DecodeSignRequest(frame.body);
  if (!request) return false;
  signs_.fetch_add(1);
  changed_.notify_all();
  size_t size = 0;
  OnSign on_sign;
  {
    std::unique_lock lock(mutex_);
    changed_.notify_all();
    changed_.wait(lock, [this] { return !held_ || killed_; });
    if (killed_) return false;
    on_sign = on_sign_;
    size = catalogue_.SignatureSize(request->key);
  }
  if (on_sign) {
    if (const auto instead = on_sign(frame.header, *request)) {
      return !instead->empty() && SendAll(fd, *instead);
    }
  }
  std::vector<uint8_t> buffer(4096);
  wire::Header header = frame.header;
  header.type = size == 0 ? wire::MessageType::kFailure : wire::MessageType::kSignReply;
  wire::FrameWriter reply(buffer, header);
  const auto signature =
      size == 0 ? std::vector<uint8_t>() : FakeSignature(request->key, request->data, size);
  if (size == 0) {
    wire::Encode(wire::Failure{ErrorCode::kNotFound, CKR_KEY_HANDLE_INVALID}, reply.body());
  } else {
    wire::Encode(wire::SignReply{signature}, reply.body());
  }
  return SendAll(fd, {buffer.data(), reply.Finish()});
}

void FakeTokenhost::SetKeys(std::vector<FakeKey> keys) {
  std::lock_guard lock(mutex_);
  catalogue_.keys = std::move(keys);
  ++catalogue_.generation;
}

void FakeTokenhost::SetState(wire::TokenState state) {
  std::lock_guard lock(mutex_);
  state_ = state;
  catalogue_.token_present = state == wire::TokenState::kReady;
}

void FakeTokenhost::SetOnSign(OnSign on_sign) {
  std::lock_guard lock(mutex_);
  on_sign_ = std::move(on_sign);
}

void FakeTokenhost::Hold() {
  std::lock_guard lock(mutex_);
  held_ = true;
}

void FakeTokenhost::Release() {
  {
    std::lock_guard lock(mutex_);
    held_ = false;
  }
  changed_.notify_all();
}

bool FakeTokenhost::AwaitSigns(uint64_t count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] { return signs_.load() >= count; });
}

}  // namespace keybroker::test
