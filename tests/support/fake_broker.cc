#include "support/fake_broker.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

#include "keybroker/wire/sign.h"

namespace keybroker::test {
namespace {

constexpr std::chrono::seconds kPatience{30};

// A message and the kernel's word on its sender. Nothing when the connection has ended.
std::optional<std::vector<uint8_t>> Receive(int fd, ucred* sender) {
  std::vector<uint8_t> buffer(wire::kMaxMessage + 1);
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred))];
  iovec part{buffer.data(), buffer.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t size = ::recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
  if (size <= 0) return std::nullopt;
  const cmsghdr* head = CMSG_FIRSTHDR(&message);
  if (head != nullptr && head->cmsg_type == SCM_CREDENTIALS) {
    std::memcpy(sender, CMSG_DATA(head), sizeof *sender);
  }
  buffer.resize(static_cast<size_t>(size));
  return buffer;
}

bool Send(int fd, const Deed& deed) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  iovec part{const_cast<uint8_t*>(deed.bytes.data()), deed.bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (deed.descriptor) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(head), &fd, sizeof fd);
  }
  return ::sendmsg(fd, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(deed.bytes.size());
}

template <class Body>
std::vector<uint8_t> Message(const wire::Header& header, const Body& body) {
  std::vector<uint8_t> message(wire::kMaxMessage);
  wire::FrameWriter frame(message, header);
  wire::Encode(body, frame.body());
  message.resize(frame.Finish());
  return message;
}

wire::Header ReplyTo(const BrokerRequest& request, wire::MessageType type) {
  return {type, request.header.version, request.header.request_id};
}

}  // namespace

std::vector<uint8_t> FailureAnswer(const BrokerRequest& request, ErrorCode code, uint32_t rv) {
  return Message(ReplyTo(request, wire::MessageType::kFailure), wire::Failure{code, rv});
}

void FakeBroker::Start(UniqueFd listening) {
  {
    std::lock_guard lock(mutex_);
    killed_ = false;
  }
  server_.Start(std::move(listening));
}

void FakeBroker::Restart() {
  UniqueFd next = ListenAt(server_.socket());
  Kill();
  Start(std::move(next));
}

void FakeBroker::Kill() {
  {
    std::lock_guard lock(mutex_);
    killed_ = true;
  }
  changed_.notify_all();
  server_.Kill();
}

void FakeBroker::Serve(int fd) {
  size_t connection = 0;
  {
    std::lock_guard lock(mutex_);
    connection = ++connections_;
    ++open_;
  }
  Converse(fd, connection);
  {
    std::lock_guard lock(mutex_);
    --open_;
  }
  changed_.notify_all();
}

void FakeBroker::Converse(int fd, size_t connection) {
  for (;;) {
    ucred sender{};
    const auto message = Receive(fd, &sender);
    if (!message) return;
    const auto frame = wire::DecodeFrame(*message);
    if (!frame) {
      std::lock_guard lock(mutex_);
      ++bad_;
      return;
    }
    BrokerRequest request{frame->header, {frame->body.begin(), frame->body.end()},
                          connection,    1,
                          sender.pid,    sender.uid};
    if (!Handle(fd, std::move(request))) return;
  }
}

void FakeBroker::Note(BrokerRequest* request) {
  for (const BrokerRequest& earlier : requests_) {
    request->nth += earlier.header.type == request->header.type ? 1 : 0;
  }
  requests_.push_back(*request);
}

bool FakeBroker::Handle(int fd, BrokerRequest request) {
  Script script;
  {
    std::unique_lock lock(mutex_);
    Note(&request);
    changed_.notify_all();
    if (request.header.type == wire::MessageType::kSignRequest) {
      changed_.wait(lock, [this] { return !held_ || killed_; });
    }
    if (killed_) return false;
    script = script_;
  }
  Deed deed = script ? script(request) : Deed{};
  if (deed.kind == Deed::Kind::kEnd) return false;
  if (deed.kind == Deed::Kind::kIgnore) return true;
  if (deed.kind == Deed::Kind::kAnswer) deed.bytes = RightAnswer(request);
  return Send(fd, deed);
}

std::vector<uint8_t> FakeBroker::RightAnswer(const BrokerRequest& request) {
  std::lock_guard lock(mutex_);
  using Type = wire::MessageType;
  if (request.header.type == Type::kHello) {
    const auto hello = wire::DecodeHello(request.body);
    const auto version = wire::NegotiateVersion(*hello, min_version_, max_version_);
    if (!version) return FailureAnswer(request, ErrorCode::kMalformed, 0);
    return Message(
        ReplyTo(request, Type::kHelloReply),
        wire::HelloReply{*version, catalogue_.token_present, catalogue_.generation, listener_});
  }
  if (request.header.type == Type::kCatalogueRequest) {
    std::vector<uint8_t> message(wire::kMaxMessage);
    wire::FrameWriter frame(message, ReplyTo(request, Type::kCataloguePage));
    catalogue_.EncodePage(*wire::DecodeCatalogueRequest(request.body), frame.body());
    message.resize(frame.Finish());
    return message;
  }
  const auto sign = wire::DecodeSignRequest(request.body);
  const size_t size = catalogue_.SignatureSize(sign->key);
  if (size == 0) return FailureAnswer(request, ErrorCode::kNotFound, CKR_KEY_HANDLE_INVALID);
  const auto signature = FakeSignature(sign->key, sign->data, size);
  return Message(ReplyTo(request, Type::kSignReply), wire::SignReply{signature});
}

void FakeBroker::SetKeys(std::vector<FakeKey> keys) {
  std::lock_guard lock(mutex_);
  catalogue_.keys = std::move(keys);
  ++catalogue_.generation;
}

void FakeBroker::SetPageSize(uint32_t page_size) {
  std::lock_guard lock(mutex_);
  catalogue_.page_size = page_size;
}

void FakeBroker::SetTokenPresent(bool present) {
  std::lock_guard lock(mutex_);
  catalogue_.token_present = present;
}

void FakeBroker::SetListener(std::string name) {
  std::lock_guard lock(mutex_);
  listener_ = std::move(name);
}

void FakeBroker::SetVersions(uint16_t min, uint16_t max) {
  std::lock_guard lock(mutex_);
  min_version_ = min;
  max_version_ = max;
}

void FakeBroker::SetScript(Script script) {
  std::lock_guard lock(mutex_);
  script_ = std::move(script);
}

void FakeBroker::Hold() {
  std::lock_guard lock(mutex_);
  held_ = true;
}

void FakeBroker::Release() {
  {
    std::lock_guard lock(mutex_);
    held_ = false;
  }
  changed_.notify_all();
}

size_t FakeBroker::connections() {
  std::lock_guard lock(mutex_);
  return connections_;
}

size_t FakeBroker::messages() {
  std::lock_guard lock(mutex_);
  return requests_.size() + bad_;
}

size_t FakeBroker::Count(wire::MessageType type) {
  std::lock_guard lock(mutex_);
  return static_cast<size_t>(
      std::count_if(requests_.begin(), requests_.end(),
                    [type](const BrokerRequest& request) { return request.header.type == type; }));
}

BrokerRequest FakeBroker::Last() {
  std::lock_guard lock(mutex_);
  return requests_.back();
}

bool FakeBroker::AwaitSigns(size_t count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] {
    size_t signs = 0;
    for (const BrokerRequest& request : requests_) {
      signs += request.header.type == wire::MessageType::kSignRequest ? 1 : 0;
    }
    return signs >= count;
  });
}

bool FakeBroker::AwaitOpen(size_t count) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] { return open_ == count; });
}

}  // namespace keybroker::test
