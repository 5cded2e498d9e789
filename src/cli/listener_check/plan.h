#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "cli/listener_check/connection.h"
#include "cli/listener_check/handshake.h"
#include "cli/listener_check/starttls.h"
#include "keybroker/base/result.h"
#include "keybroker/credential/certificate.h"

namespace keybroker::cli {

// CheckOptions is what the operator typed.
struct CheckOptions {
  std::string listener;
  std::string kind;
  std::string connect;
  std::string starttls;
  std::string name;
  std::string ca;
  std::string key;
  std::string type;
  std::string tls;
  std::string files;
  unsigned timeout = 10;
};

// Plan is what is going to be tried.
struct Plan {
  Address address;
  StartTls starttls = StartTls::kNone;
  std::vector<TlsVersion> versions;
  std::vector<credential::Certificate> anchors;
  std::string name;  // empty: each key's own
  std::chrono::seconds limit{10};
  bool one_key = false;  // the server can serve one type only
};

// MakePlan makes it of the options; Malformed says which is wrong, or that no place is named.
Result<Plan> MakePlan(const CheckOptions& options);

}  // namespace keybroker::cli
