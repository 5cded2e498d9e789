#include "support/broker_client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace keybroker::test {

bool BrokerClient::Connect(const std::filesystem::path& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = socket.string();
  if (path.size() >= sizeof address.sun_path) return false;
  std::memcpy(address.sun_path, path.data(), path.size());
  fd_.Reset(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  ended_ = false;
  const timeval patience{30, 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  return ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

bool BrokerClient::SendRaw(wire::Bytes message) {
  return ::send(fd_.get(), message.data(), message.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(message.size());
}

std::optional<wire::Frame> BrokerClient::Read() {
  ssize_t size = 0;
  do {
    size = ::recv(fd_.get(), buffer_.data(), buffer_.size(), 0);
  } while (size < 0 && errno == EINTR);
  ended_ = size == 0 || (size < 0 && errno == ECONNRESET);
  if (size <= 0) return std::nullopt;
  return wire::DecodeFrame({buffer_.data(), static_cast<size_t>(size)});
}

std::optional<wire::HelloReply> BrokerClient::Hello(uint16_t min, uint16_t max) {
  std::vector<uint8_t> message(64);
  wire::FrameWriter frame(message, {wire::MessageType::kHello, 0, ++request_id_});
  wire::Encode(wire::Hello{min, max}, frame.body());
  if (!SendRaw({message.data(), frame.Finish()})) return std::nullopt;
  const auto reply = Read();
  if (!reply || reply->header.type != wire::MessageType::kHelloReply ||
      reply->header.request_id != request_id_) {
    return std::nullopt;
  }
  auto hello = wire::DecodeHelloReply(reply->body);
  if (!hello) return std::nullopt;
  version_ = hello->version;
  listener_ = hello->listener;
  hello->listener = listener_;
  return hello;
}

std::optional<std::vector<SeenKey>> BrokerClient::Keys(int* pages) {
  std::vector<SeenKey> keys;
  uint64_t generation = 0;
  for (;;) {
    std::vector<uint8_t> message(64);
    wire::FrameWriter frame(message,
                            {wire::MessageType::kCatalogueRequest, version_, ++request_id_});
    wire::Encode(wire::CatalogueRequest{generation, static_cast<uint32_t>(keys.size())},
                 frame.body());
    if (!SendRaw({message.data(), frame.Finish()})) return std::nullopt;
    const auto reply = Read();
    if (!reply || reply->header.type != wire::MessageType::kCataloguePage) return std::nullopt;
    auto reader = wire::CatalogueReader::Open(reply->body);
    if (!reader || reader->page().first != keys.size()) return std::nullopt;
    generation = reader->page().generation;
    const uint32_t total = reader->page().total;
    while (const auto entry = reader->Next()) {
      const auto* first = entry->mechanisms.data();
      keys.push_back({entry->key,
                      std::string(entry->label),
                      {entry->id.begin(), entry->id.end()},
                      {first, first + entry->mechanism_count},
                      {entry->certificate.begin(), entry->certificate.end()}});
    }
    if (!reader->ok()) return std::nullopt;
    if (pages != nullptr) ++*pages;
    if (keys.size() == total) return keys;
  }
}

bool BrokerClient::SendSign(const wire::KeyRef& key, uint32_t mechanism, wire::Bytes data,
                            std::optional<wire::PssParameters> pss, uint64_t deadline_ms) {
  std::vector<uint8_t> message(wire::kMaxMessage);
  wire::FrameWriter frame(message, {wire::MessageType::kSignRequest, version_, ++request_id_});
  wire::Encode(wire::SignRequest{key, mechanism, deadline_ms, pss, data}, frame.body());
  return SendRaw({message.data(), frame.Finish()});
}

Outcome BrokerClient::ReadOutcome() {
  const auto reply = Read();
  Outcome outcome;
  outcome.ended = !reply;
  if (!reply) return outcome;
  if (reply->header.type == wire::MessageType::kSignReply) {
    const auto signature = wire::DecodeSignReply(reply->body);
    if (signature) {
      outcome.signature.assign(signature->signature.begin(), signature->signature.end());
    }
  } else if (reply->header.type == wire::MessageType::kFailure) {
    outcome.failure = wire::DecodeFailure(reply->body);
  }
  return outcome;
}

Outcome BrokerClient::Sign(const wire::KeyRef& key, uint32_t mechanism, wire::Bytes data,
                           std::optional<wire::PssParameters> pss, uint64_t deadline_ms) {
  if (!SendSign(key, mechanism, data, pss, deadline_ms)) return {{}, std::nullopt, true};
  return ReadOutcome();
}

std::vector<uint8_t> Digest32(uint8_t seed) {
  std::vector<uint8_t> digest(32);
  for (size_t i = 0; i < digest.size(); ++i) digest[i] = static_cast<uint8_t>(seed * 31 + i);
  return digest;
}

}  // namespace keybroker::test
