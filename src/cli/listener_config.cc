#include <algorithm>
#include <memory>
#include <system_error>
#include <utility>

#include "cli/bound_keys.h"
#include "cli/change.h"
#include "cli/layout.h"
#include "cli/listener_commands.h"
#include "cli/listener_config/directories.h"
#include "cli/listener_config/files.h"
#include "cli/listener_config/notes.h"
#include "cli/listener_config/write.h"
#include "cli/listener_file.h"
#include "keybroker/base/shell_quote.h"

namespace keybroker::cli {
namespace {

struct ConfigOptions {
  std::string name;
  std::string kind;
  std::string key;
  std::string type;
  std::string write;
  std::string module;
  std::string engine;
  bool provider = false;
};

Result<std::vector<ConfigKey>> ConfigKeys(const config::Settings& settings,
                                          const policy::Listener& listener,
                                          const ConfigOptions& options) {
  KB_ASSIGN(auto targets, BoundKeys(settings, listener, options.key, options.type));
  std::vector<ConfigKey> keys;
  for (auto& target : targets) {
    if (target.name != targets.front().name) {
      return Fail(WrongUsage("the listener \"" + listener.name + "\" is bound to " +
                             KeyNames(targets) + ": say which with --key"));
    }
  }
  for (auto& target : targets) {
    KB_ASSIGN(auto chain, InstalledChain(settings, target));
    keys.push_back({std::move(target), std::move(chain)});
  }
  return keys;
}

// LeftOut tells of what is bound and has no key here yet: the files are written without it.
std::vector<std::string> LeftOut(const policy::Listener& listener, const ConfigOptions& options,
                                 const std::vector<ConfigKey>& keys) {
  std::vector<std::string> notes;
  for (const auto& binding : listener.bindings) {
    if (!options.key.empty() && binding.key != options.key) continue;
    const bool has_key = std::any_of(keys.begin(), keys.end(), [&](const ConfigKey& key) {
      return key.target.name == binding.key && (!binding.type || *binding.type == key.target.type);
    });
    const std::string type = binding.type ? std::string(cryptoki::KeyTypeName(*binding.type)) : "";
    if (has_key || (!options.type.empty() && !type.empty() && type != options.type)) continue;
    notes.push_back("left out: " + binding.key + (type.empty() ? "" : " (" + type + ")") +
                    " is bound, and keybroker knows no such key here (`keybroker key list`). Once "
                    "it is there, run this again");
  }
  return notes;
}

Result<std::filesystem::path> Directory(const config::Settings& settings,
                                        const ConfigOptions& options) {
  if (options.write.empty()) return ListenerDirectory(settings, options.name);
  std::error_code error;
  auto absolute = std::filesystem::absolute(options.write, error).lexically_normal();
  if (error) return Fail(SystemError("cannot make " + options.write + " absolute", error.value()));
  return absolute.has_filename() ? absolute : absolute.parent_path();
}

Json FilesJson(const ConfigFacts& facts, const std::vector<ConfigFile>& files) {
  Json all = Json::array();
  for (const ConfigFile& file : files) {
    all.push_back({{"name", file.name},
                   {"path", (facts.directory / file.name).string()},
                   {"where", file.where},
                   {"text", file.text}});
  }
  return all;
}

Json AnswerJson(const ConfigFacts& facts, const std::vector<ConfigFile>& files) {
  const Recipe& recipe = *facts.recipe;
  Json json{{"listener", facts.listener},
            {"for", recipe.kind},
            {"program", recipe.program},
            {"who", recipe.who},
            {"users", recipe.users},
            {"jail", recipe.jail},
            {"both_types", recipe.both_types},
            {"apply", recipe.apply},
            {"key", facts.keys.front().target.name},
            {"types", Json::array()},
            {"directory", facts.directory.string()},
            {"files", FilesJson(facts, files)}};
  for (const auto& key : facts.keys) {
    json["types"].push_back(cryptoki::KeyTypeName(key.target.type));
  }
  return json;
}

std::string PrintedFiles(const ConfigFacts& facts, const std::vector<ConfigFile>& files) {
  std::string text;
  for (const ConfigFile& file : files) {
    text += (text.empty() ? "# file: " : "\n# file: ") + (facts.directory / file.name).string() +
            " — " + file.where + "\n" + file.text;
  }
  return text;
}

Status WriteThem(const config::Settings& settings, const ConfigFacts& facts,
                 const std::vector<ConfigFile>& files, Answer& answer) {
  KB_ASSIGN(Change change, Change::Begin(settings));
  KB_ASSIGN(const auto fates, WriteConfigFiles(facts.directory, files));
  KB_TRY(RememberDirectory(settings, facts.listener, facts.directory));
  std::vector<std::vector<std::string>> rows;
  for (size_t i = 0; i < files.size(); ++i) {
    rows.push_back({fates[i], (facts.directory / files[i].name).string(), files[i].where});
    answer.json["files"][i]["result"] = fates[i];
  }
  answer.text = Columns(rows);
  const std::string elsewhere = facts.directory == ListenerDirectory(settings, facts.listener)
                                    ? std::string()
                                    : " --files " + ShellQuote(facts.directory.string());
  if (!facts.recipe->apply.empty()) {
    answer.text += "then: " + std::string(facts.recipe->apply) + "\n";
  }
  answer.text += "then: keybroker listener check " + facts.listener + " --for " +
                 std::string(facts.recipe->kind) + elsewhere +
                 (facts.recipe->port.empty() ? " --connect HOST:PORT\n" : "\n");
  return change.Record({"listener-config", facts.keys.front().target.name, "",
                        facts.listener + " " + facts.directory.string()},
                       {});
}

Result<Answer> ListenerConfig(const Invocation& invocation, const ConfigOptions& options) {
  KB_ASSIGN(const Recipe* recipe, FindRecipe(options.kind));
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const auto listener, LoadListener(settings, options.name));
  ConfigFacts facts{recipe,
                    listener.name,
                    SocketOf(settings, listener),
                    {},
                    FindListenerSide(options.module, options.engine),
                    options.provider ? ReferenceFormat::kProvider : ReferenceFormat::kEngine,
                    {}};
  KB_ASSIGN(facts.directory, Directory(settings, options));
  KB_ASSIGN(facts.keys, ConfigKeys(settings, listener, options));
  KB_ASSIGN(const auto files, MakeConfigFiles(facts));
  Answer answer = MakeAnswer(PrintedFiles(facts, files), AnswerJson(facts, files));
  answer.notes = ConfigNotes(facts, listener);
  for (std::string& note : LeftOut(listener, options, facts.keys)) {
    answer.notes.push_back(std::move(note));
  }
  if (!options.write.empty()) KB_TRY(WriteThem(settings, facts, files, answer));
  return answer;
}

}  // namespace

void AddListenerConfig(const Command& noun) {
  auto options = std::make_shared<ConfigOptions>();
  const Command verb = noun.Verb(
      "config", "show, or write, what a server needs to use the listener's keys, and where it goes",
      "keybroker listener config https --for nginx --write /etc/keybroker/listeners/https");
  verb.Argument("NAME", options->name, "the listener's name")
      .Required("--for", options->kind, RecipeKinds())
      .Option("--key", options->key, "key name, when the listener is bound to several")
      .Option("--type", options->type, "rsa or ec; both when left out")
      .Flag("--provider", options->provider,
            "by OpenSSL's pkcs11-provider instead of keybroker's engine (OpenSSL 4.0 has no "
            "engines)")
      .Option("--write", options->write,
              "directory to write the files to; replaces only files that this command made")
      .Option("--module", options->module, "listeners' module; default: where it is installed")
      .Option("--engine", options->engine, "OpenSSL engine; default: where it is installed");
  verb.Does([options](const Invocation& i) { return ListenerConfig(i, *options); });
}

}  // namespace keybroker::cli
