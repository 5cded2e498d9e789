#include "broker/admin_server.h"

#include <grp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <string_view>
#include <utility>
#include "keybroker/base/json.h"

#include "keybroker/base/log.h"
#include "keybroker/base/process.h"
#include "keybroker/wire/hello.h"
#include "keybroker/wire/sign.h"

namespace keybroker::broker {
namespace {

constexpr size_t kMaxClients = 32;
constexpr int kSendTimeoutMs = 1000;

// A page of text leaves room for the message's own fields.
constexpr size_t kPage = wire::kMaxText;

}  // namespace

Result<std::unique_ptr<AdminServer>> AdminServer::Start(UniqueFd socket,
                                                        const config::Settings& settings,
                                                        Answer answer) {
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop) return Fail(SystemError("eventfd", errno));
  std::unique_ptr<AdminServer> server(
      new AdminServer(std::move(socket), std::move(stop), settings.admin_group, std::move(answer)));
  server->thread_ = std::thread([self = server.get()] { self->Run(); });
  return server;
}

AdminServer::AdminServer(UniqueFd socket, UniqueFd stop, std::string admin_group, Answer answer)
    : socket_(std::move(socket)),
      stop_(std::move(stop)),
      admin_group_(std::move(admin_group)),
      answer_(std::move(answer)),
      receive_(wire::kMaxMessage + 1),
      send_(wire::kMaxMessage) {}

AdminServer::~AdminServer() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = ::write(stop_.get(), &one, sizeof one);
  if (thread_.joinable()) thread_.join();
}

void AdminServer::Run() {
  std::vector<pollfd> watched;
  for (;;) {
    watched.assign({{stop_.get(), POLLIN, 0}, {socket_.get(), POLLIN, 0}});
    for (const Client& client : clients_) watched.push_back({client.fd.get(), POLLIN, 0});
    if (::poll(watched.data(), watched.size(), -1) < 0) continue;
    if (watched[0].revents != 0) return;
    for (size_t i = 0; i < clients_.size(); ++i) {
      if (watched[i + 2].revents != 0 && !Serve(clients_[i])) clients_[i].fd.Reset();
    }
    std::erase_if(clients_, [](const Client& client) { return !client.fd; });
    if (watched[1].revents != 0) AcceptOne();
  }
}

void AdminServer::AcceptOne() {
  UniqueFd fd(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd) return;
  if (!ipc::WantCredentials(fd.get())) return;
  // The longest silent one gives way.
  if (clients_.size() >= kMaxClients) clients_.erase(clients_.begin());
  clients_.push_back({std::move(fd), 0});
}

bool AdminServer::MayAsk(const ipc::Received& received) const {
  if (!received.sender) return false;
  const ucred& sender = *received.sender;
  if (sender.uid == 0 || sender.uid == ::geteuid()) return true;
  if (admin_group_.empty()) return false;
  const auto group = FindGroup(admin_group_);
  const auto user = FindUser(std::to_string(sender.uid));
  if (!group || !user) return false;
  if (sender.gid == *group) return true;
  std::vector<gid_t> groups(256);
  int count = static_cast<int>(groups.size());
  if (::getgrouplist(user->name.c_str(), user->gid, groups.data(), &count) < 0) return false;
  const auto end = groups.begin() + count;
  return std::find(groups.begin(), end, *group) != end;
}

bool AdminServer::Serve(Client& client) {
  const ipc::Received received = ipc::Receive(client.fd.get(), receive_);
  if (received.kind == ipc::Received::Kind::kNothing) return true;
  if (received.kind == ipc::Received::Kind::kEnd) return false;
  if (received.kind != ipc::Received::Kind::kMessage) {
    return BadMessage("a message with a descriptor, or one too long, came");
  }
  const auto frame = wire::DecodeFrame(received.message);
  if (!frame) return BadMessage("a malformed message came");
  if (!MayAsk(received)) {
    Log(LogLevel::kWarning, "admin socket: uid " +
                                (received.sender ? std::to_string(received.sender->uid) : "?") +
                                " is neither root nor in admin_group and was refused");
    return Refuse(client, frame->header, ErrorCode::kDenied);
  }
  if (frame->header.type == wire::MessageType::kHello) return AnswerHello(client, *frame);
  if (frame->header.type != wire::MessageType::kAdminRequest || client.version == 0 ||
      frame->header.version != client.version) {
    return BadMessage("a message came that is no operator's, or of a version not agreed on");
  }
  return AnswerRequest(client, *frame);
}

bool AdminServer::AnswerHello(Client& client, const wire::Frame& frame) {
  const auto hello = wire::DecodeHello(frame.body);
  if (!hello || frame.header.version != 0) return BadMessage("a malformed Hello came");
  const auto version = wire::NegotiateVersion(*hello, wire::kMinVersion, wire::kVersion);
  if (!version) {
    Refuse(client, frame.header, ErrorCode::kMalformed);
    return BadMessage("a Hello came from a program of another version");
  }
  client.version = *version;
  wire::FrameWriter reply(send_, {wire::MessageType::kHelloReply, 0, frame.header.request_id});
  wire::Encode(wire::HelloReply{*version, false, 1, "admin"}, reply.body());
  return Send(client, reply.Finish());
}

bool AdminServer::AnswerRequest(Client& client, const wire::Frame& frame) {
  const auto request = wire::DecodeAdminRequest(frame.body);
  if (!request) return BadMessage("a malformed AdminRequest came");
  try {
    const auto answer = answer_(*request);
    if (answer) return SendText(client, frame.header.request_id, true, *answer);
    const nlohmann::json problem = {{"error", std::string(ErrorCodeName(answer.error().code))},
                                    {"detail", answer.error().detail}};
    return SendText(client, frame.header.request_id, false,
                    problem.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  } catch (const std::exception& problem) {
    Log(LogLevel::kError, std::string("admin socket: ") + problem.what());
    return false;
  }
}

bool AdminServer::Refuse(const Client& client, const wire::Header& header, ErrorCode code) {
  wire::FrameWriter reply(send_, {wire::MessageType::kFailure, header.version, header.request_id});
  wire::Encode(wire::Failure{code, 0}, reply.body());
  return Send(client, reply.Finish());
}

bool AdminServer::BadMessage(const char* what) {
  Log(LogLevel::kWarning, std::string("admin socket: ") + what + "; the connection was closed");
  return false;
}

bool AdminServer::SendText(const Client& client, uint32_t request_id, bool done,
                           std::string_view text) {
  for (bool more = true; more;) {
    const std::string_view page = text.substr(0, kPage);
    text.remove_prefix(page.size());
    more = !text.empty();
    wire::FrameWriter reply(send_, {wire::MessageType::kAdminReply, client.version, request_id});
    wire::Encode(wire::AdminReply{done, more, page}, reply.body());
    if (!Send(client, reply.Finish())) return false;
  }
  return true;
}

bool AdminServer::Send(const Client& client, size_t size) {
  if (size == 0) return false;
  for (;;) {
    const ssize_t sent = ::send(client.fd.get(), send_.data(), size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) return static_cast<size_t>(sent) == size;
    if (errno != EAGAIN && errno != EINTR) return false;
    pollfd writable{client.fd.get(), POLLOUT, 0};
    if (::poll(&writable, 1, kSendTimeoutMs) <= 0) return false;
  }
}

}  // namespace keybroker::broker
