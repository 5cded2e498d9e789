#pragma once

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "keybroker/base/result.h"
#include "keybroker/base/unique_fd.h"
#include "keybroker/config/settings.h"
#include "keybroker/ipc/message.h"
#include "keybroker/wire/admin.h"
#include "keybroker/wire/frame.h"

namespace keybroker::broker {

// AdminServer serves the admin socket on a thread of its own, so that status is answered while all
// workers wait for a token. It admits root, the broker's own user and the members of admin_group,
// judged on every message.
class AdminServer {
 public:
  // Answer gives the JSON for a request, or why there is none.
  using Answer = std::function<Result<std::string>(const wire::AdminRequest&)>;

  static Result<std::unique_ptr<AdminServer>> Start(UniqueFd socket,
                                                    const config::Settings& settings,
                                                    Answer answer);
  ~AdminServer();
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;

 private:
  struct Client {
    UniqueFd fd;
    uint16_t version = 0;
  };

  AdminServer(UniqueFd socket, UniqueFd stop, std::string admin_group, Answer answer);

  void Run();
  void AcceptOne();
  bool Serve(Client& client);
  bool AnswerHello(Client& client, const wire::Frame& frame);
  bool AnswerRequest(Client& client, const wire::Frame& frame);
  // Refuse sends a Failure; BadMessage logs why the connection ends, and is false.
  bool Refuse(const Client& client, const wire::Header& header, ErrorCode code);
  static bool BadMessage(const char* what);
  bool SendText(const Client& client, uint32_t request_id, bool done, std::string_view text);
  bool Send(const Client& client, size_t size);
  bool MayAsk(const ipc::Received& received) const;

  UniqueFd socket_;
  UniqueFd stop_;
  std::string admin_group_;
  Answer answer_;
  std::vector<Client> clients_;
  std::vector<uint8_t> receive_;
  std::vector<uint8_t> send_;
  std::thread thread_;
};

}  // namespace keybroker::broker
