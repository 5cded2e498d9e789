#include "broker/configuration.h"

#include <unistd.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "keybroker/base/file.h"

namespace keybroker::broker {
namespace {

namespace fs = std::filesystem;

// Complaints collects what is wrong, so that the operator mends it all in one go.
class Complaints {
 public:
  void Add(std::string_view text) {
    if (!text_.empty()) text_ += "\n";
    text_ += text;
  }
  void Add(const fs::path& file, std::string_view text) {
    Add(file.string() + ": " + std::string(text));
  }
  bool empty() const { return text_.empty(); }
  Error ToError() const { return Malformed(text_); }

 private:
  std::string text_;
};

// TomlFiles lists the *.toml of a directory, sorted; hidden files are somebody's half-written ones.
std::vector<fs::path> TomlFiles(const fs::path& directory, Complaints& complaints) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const fs::path& file = it->path();
    if (file.extension() == ".toml" && file.filename().string().front() != '.') {
      files.push_back(file);
    }
  }
  if (error) {
    complaints.Add(directory, "cannot be read: " + error.message() +
                                  "; make it, or correct [paths] in keybroker.toml");
  }
  std::sort(files.begin(), files.end());
  return files;
}

// IsMissing: what this user cannot see may be there; binding will show.
bool IsMissing(const fs::path& jail) {
  std::error_code error;
  const fs::file_status status = fs::status(jail, error);
  return status.type() != fs::file_type::none && status.type() != fs::file_type::directory;
}

std::vector<Endpoint> Endpoints(const config::Settings& settings, const policy::Listener& listener,
                                uid_t owner, gid_t group) {
  Endpoint own{listener.name, listener.socket, {}, owner, group, listener.mode};
  if (own.path.empty()) own.path = settings.ListenerSocket(listener.name);
  std::vector<Endpoint> all{own};
  for (const fs::path& jail : listener.jails) {
    if (IsMissing(jail)) continue;
    Endpoint inside = own;
    inside.jail = jail;
    inside.path = jail / own.path.relative_path();
    all.push_back(std::move(inside));
  }
  return all;
}

// LookUp resolves the names in a listener's file to ids.
std::shared_ptr<const ListenerSetup> LookUp(const config::Settings& settings, const User& broker,
                                            policy::Listener listener, const fs::path& file,
                                            Complaints& complaints) {
  auto setup = std::make_shared<ListenerSetup>();
  for (const std::string& name : listener.users) {
    const auto user = FindUser(name);
    if (user) {
      setup->uids.push_back(user->uid);
    } else {
      complaints.Add(file, "users: " + user.error().detail);
    }
  }
  uid_t owner = broker.uid;
  if (!listener.owner.empty()) {
    if (const auto user = FindUser(listener.owner)) {
      owner = user->uid;
    } else {
      complaints.Add(file, "owner: " + user.error().detail);
    }
  }
  gid_t group = broker.gid;
  if (!listener.group.empty()) {
    if (const auto gid = FindGroup(listener.group)) {
      group = *gid;
    } else {
      complaints.Add(file, "group: " + gid.error().detail);
    }
  }
  setup->endpoints = Endpoints(settings, listener, owner, group);
  setup->policy = std::move(listener);
  return setup;
}

void LoadListeners(const config::Settings& settings, const User& broker,
                   Configuration& configuration, Complaints& complaints) {
  std::set<fs::path> sockets{settings.AdminSocket()};
  for (const fs::path& file : TomlFiles(settings.listeners_dir, complaints)) {
    const auto text = ReadFile(file);
    if (!text) {
      complaints.Add(text.error().detail);
      continue;
    }
    auto listener = policy::ParseListener(*text, file.string());
    if (!listener) {
      complaints.Add(listener.error().detail);
      continue;
    }
    auto setup = LookUp(settings, broker, std::move(*listener), file, complaints);
    for (const Endpoint& endpoint : setup->endpoints) {
      if (!sockets.insert(endpoint.path.lexically_normal()).second) {
        complaints.Add(file, "the socket " + endpoint.path.string() +
                                 " belongs to another listener already; give each its own");
      }
    }
    for (const fs::path& jail : setup->policy.jails) {
      if (!IsMissing(jail)) continue;
      configuration.warnings.push_back(
          file.string() + ": the jail " + jail.string() +
          " is not a directory, so processes inside it are not served: make it and run " +
          "`keybroker reload`, or take it out of jails");
    }
    configuration.listeners.push_back(std::move(setup));
  }
}

void LoadTokens(const config::Settings& settings, Configuration& configuration,
                Complaints& complaints) {
  // Only the names: what is in a token's file is the tokenhost's business.
  for (const fs::path& file : TomlFiles(settings.tokens_dir, complaints)) {
    const std::string name = file.stem().string();
    if (const auto status = config::CheckName("token", name); !status) {
      complaints.Add(file, status.error().detail);
    } else {
      configuration.tokens.push_back(name);
    }
  }
}

void LoadCurrentKeys(const config::Settings& settings, Configuration& configuration,
                     Complaints& complaints) {
  const auto text = ReadFile(settings.current_file);
  if (!text && text.error().code == ErrorCode::kNotFound) return;
  if (!text) return complaints.Add(text.error().detail);
  auto current = policy::ParseCurrentKeys(*text, settings.current_file.string());
  if (!current) return complaints.Add(current.error().detail);
  configuration.current = std::move(*current);
}

}  // namespace

Result<Configuration> LoadConfiguration(const config::Settings& settings, const User& broker) {
  Configuration configuration;
  Complaints complaints;
  LoadListeners(settings, broker, configuration, complaints);
  LoadTokens(settings, configuration, complaints);
  LoadCurrentKeys(settings, configuration, complaints);
  if (!complaints.empty()) return Fail(complaints.ToError());
  return configuration;
}

Result<User> BrokerUser(const config::Settings& settings) {
  if (::geteuid() != 0) return FindUser(std::to_string(::geteuid()));
  auto user = FindUser(settings.broker_user);
  if (!user) {
    return Fail(NotFound(user.error().detail +
                         " to run the broker as; make it, or set broker_user in " + "[users] of " +
                         settings.file.string()));
  }
  return user;
}

}  // namespace keybroker::broker
