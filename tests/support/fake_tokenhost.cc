#include "support/fake_tokenhost.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "keybroker/cryptoki/mechanism.h"
#include "keybroker/wire/hello.h"

namespace keybroker::test {
namespace {

constexpr std::chrono::seconds kPatience{30};

FakeKey NewKey(const std::string& name, cryptoki::KeyType type, uint32_t bits, uint32_t serial) {
  FakeKey key{name, type, bits, {}, {}, {}};
  for (int shift = 24; shift >= 0; shift -= 8) {
    key.id.push_back(static_cast<uint8_t>(serial >> shift));
  }
  for (const auto& mechanism : cryptoki::AllSignMechanisms()) {
    if (mechanism.key_type == type) key.mechanisms.push_back(static_cast<uint32_t>(mechanism.type));
  }
  return key;
}

bool SendAll(int fd, wire::Bytes message) {
  return ::send(fd, message.data(), message.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(message.size());
}

}  // namespace

wire::KeyRef FakeKey::ref() const {
  wire::KeyRef ref{};
  for (size_t i = 0; i < ref.size(); ++i) ref[i] = id[i % id.size()];
  return ref;
}

FakeKey EcKey(const std::string& name, uint32_t serial) {
  return NewKey(name, cryptoki::KeyType::kEc, 256, serial);
}
FakeKey RsaKey(const std::string& name, uint32_t serial) {
  return NewKey(name, cryptoki::KeyType::kRsa, 2048, serial);
}

std::vector<uint8_t> FakeSignature(const wire::KeyRef& key, wire::Bytes data, size_t size) {
  std::vector<uint8_t> signature(size);
  for (size_t i = 0; i < size; ++i) {
    signature[i] = static_cast<uint8_t>(data[i % data.size()] ^ key[i % key.size()] ^ 0x5a);
  }
  return signature;
}

void FakeTokenhost::Start() {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = socket_.string();
  if (path.size() >= sizeof address.sun_path) std::abort();
  std::memcpy(address.sun_path, path.data(), path.size());
  std::filesystem::create_directories(socket_.parent_path());
  ::unlink(path.c_str());
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), 256) != 0) {
    std::abort();
  }
  std::lock_guard lock(mutex_);
  killed_ = false;
  const int raw = fd.get();
  listening_ = std::move(fd);
  acceptor_ = std::thread([this, raw] { Accept(raw); });
}

void FakeTokenhost::Kill() {
  std::vector<std::pair<int, std::thread>> connections;
  {
    std::lock_guard lock(mutex_);
    if (killed_) return;
    killed_ = true;
    ::shutdown(listening_.get(), SHUT_RDWR);
  }
  changed_.notify_all();
  acceptor_.join();
  {
    std::lock_guard lock(mutex_);
    listening_.Reset();
    connections.swap(connections_);
    for (const auto& [fd, thread] : connections) ::shutdown(fd, SHUT_RDWR);
  }
  for (auto& [fd, thread] : connections) {
    thread.join();
    ::close(fd);
  }
}

void FakeTokenhost::Accept(int listening) {
  for (;;) {
    const int fd = ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
    std::lock_guard lock(mutex_);
    if (fd < 0 || killed_) {
      if (fd >= 0) ::close(fd);
      return;
    }
    connections_.emplace_back(fd, std::thread([this, fd] { Serve(fd); }));
  }
}

void FakeTokenhost::Serve(int fd) {
  std::vector<uint8_t> buffer(wire::kMaxMessage);
  for (;;) {
    const ssize_t size = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (size <= 0) break;
    const auto frame = wire::DecodeFrame({buffer.data(), static_cast<size_t>(size)});
    if (!frame || !Answer(fd, *frame)) break;
  }
  ::shutdown(fd, SHUT_RDWR);
}

bool FakeTokenhost::Answer(int fd, const wire::Frame& frame) {
  if (frame.header.type == wire::MessageType::kSignRequest) return AnswerSign(fd, frame);
  std::vector<uint8_t> buffer(wire::kMaxMessage);
  wire::Header header = frame.header;
  header.type = static_cast<wire::MessageType>(static_cast<uint16_t>(header.type) + 1);
  wire::FrameWriter reply(buffer, header);
  {
    std::lock_guard lock(mutex_);
    if (frame.header.type == wire::MessageType::kHello) {
      wire::Encode(
          wire::HelloReply{wire::kVersion, state_ == wire::TokenState::kReady, generation_, "fake"},
          reply.body());
    } else if (frame.header.type == wire::MessageType::kCatalogueRequest) {
      const auto request = wire::DecodeCatalogueRequest(frame.body);
      if (!request) return false;
      EncodePage(*request, reply.body());
    } else if (frame.header.type == wire::MessageType::kTokenStatusRequest) {
      wire::Encode(
          wire::TokenStatus{state_, static_cast<uint32_t>(::getpid()), generation_,
                            static_cast<uint32_t>(keys_.size()), "fake token", "0001", "fake", ""},
          reply.body());
    } else {
      return false;
    }
  }
  const size_t size = reply.Finish();
  return size != 0 && SendAll(fd, {buffer.data(), size});
}

void FakeTokenhost::EncodePage(const wire::CatalogueRequest& request, wire::Writer& body) {
  const auto total = static_cast<uint32_t>(keys_.size());
  const bool same = request.generation == 0 || request.generation == generation_;
  const uint32_t first = same ? request.first : 0;
  // Small pages, so that a few hundred keys make many of them.
  const auto count = static_cast<uint16_t>(std::min<uint32_t>(total - first, 50));
  const bool ready = state_ == wire::TokenState::kReady;
  wire::Encode(wire::CataloguePage{generation_, total, first, count, ready}, body);
  static const std::vector<uint8_t> kFiller(32, 7);
  for (uint32_t i = first; i < first + count; ++i) {
    const FakeKey& key = keys_[i];
    wire::CatalogueEntry entry{};
    entry.key = key.ref();
    entry.type = key.type;
    entry.bits = key.bits;
    entry.id = key.id;
    entry.label = key.name;
    entry.public_first = kFiller;
    entry.public_second = kFiller;
    entry.mechanism_count = static_cast<uint8_t>(key.mechanisms.size());
    std::copy(key.mechanisms.begin(), key.mechanisms.end(), entry.mechanisms.begin());
    entry.certificate = key.certificate;
    wire::Encode(entry, body);
  }
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
    for (const FakeKey& key : keys_) {
      if (key.ref() == request->key) size = cryptoki::SignatureSize(key.type, key.bits);
    }
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
  keys_ = std::move(keys);
  ++generation_;
}

void FakeTokenhost::SetState(wire::TokenState state) {
  std::lock_guard lock(mutex_);
  state_ = state;
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
