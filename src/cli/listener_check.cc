#include <algorithm>
#include <iterator>
#include <memory>
#include <string_view>

#include "cli/bound_keys.h"
#include "cli/layout.h"
#include "cli/listener_check/check.h"
#include "cli/listener_check/plan.h"
#include "cli/listener_check/try_files.h"
#include "cli/listener_check/try_module.h"
#include "cli/listener_commands.h"
#include "cli/listener_config/recipe.h"
#include "cli/listener_file.h"

namespace keybroker::cli {
namespace {

Json ShownJson(const Shown& one) {
  return {{"tls", TlsVersionName(one.version)},
          {"key", one.target.name},
          {"type", cryptoki::KeyTypeName(one.target.type)},
          {"id", one.target.id_hex},
          {"good", one.verdict.good},
          {"finding", one.verdict.word},
          {"text", one.verdict.text}};
}

Answer Report(const CheckOptions& options, const Plan& plan, const std::vector<Shown>& all,
              const Check& check) {
  Answer answer;
  answer.json = {{"listener", options.listener},
                 {"address", plan.address.host + ":" + plan.address.port},
                 {"handshakes", Json::array()}};
  std::vector<std::vector<std::string>> rows;
  for (const Shown& one : all) {
    answer.good = answer.good && one.verdict.good;
    answer.json["handshakes"].push_back(ShownJson(one));
    rows.push_back({"TLS " + TlsVersionName(one.version), one.target.name,
                    std::string(cryptoki::KeyTypeName(one.target.type)), one.verdict.word,
                    one.verdict.text});
  }
  answer.text = Columns(rows);
  const Verdict through = check.ThroughBroker();
  answer.good = answer.good && through.good;
  answer.json["broker"] = through.word;
  answer.json["broker_text"] = through.text;
  answer.text += through.text;
  answer.json["good"] = answer.good;
  return answer;
}

// Directory is where `listener config --write` puts the files, or where they were put instead.
std::filesystem::path FilesDirectory(const config::Settings& settings,
                                     const CheckOptions& options) {
  if (!options.files.empty()) return options.files;
  return ListenerDirectory(settings, options.listener);
}

// AboutFiles: a certificate that does not do says nothing of how the server came to its key.
bool AboutFiles(const Answer& answer) {
  constexpr std::string_view kOfCertificate[] = {"expired", "not-yet-valid", "wrong-name",
                                                 "chain-incomplete", "other-certificate"};
  if (answer.json["broker"] == "not-through-broker") return true;
  for (const Json& one : answer.json["handshakes"]) {
    const std::string finding = GetText(one, "finding");
    const bool certificate = std::find(std::begin(kOfCertificate), std::end(kOfCertificate),
                                       finding) != std::end(kOfCertificate);
    if (!GetBool(one, "good") && !certificate) return true;
  }
  return false;
}

// AddFiles says what the server's own files are worth, where a handshake was not as it should be.
void AddFiles(const std::vector<TriedFile>& files, Answer& answer) {
  answer.json["files"] = Json::array();
  for (const TriedFile& one : files) {
    answer.json["files"].push_back(
        {{"file", one.file.string()}, {"user", one.user}, {"good", one.good}, {"text", one.text}});
    answer.text += "\n" + one.file.string() + ", used as " + one.user + " would: " + one.text;
  }
}

Result<Answer> ListenerCheck(const Invocation& invocation, const CheckOptions& options) {
  KB_ASSIGN(const Plan plan, MakePlan(options));
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const auto listener, LoadListener(settings, options.listener));
  KB_ASSIGN(const auto targets, BoundKeys(settings, listener, options.key, options.type));
  Check check(settings, listener, plan);
  KB_ASSIGN(const auto shown, check.Run(targets));
  Answer answer = Report(options, plan, shown, check);
  if (AboutFiles(answer)) {
    const auto directory = FilesDirectory(settings, options);
    auto files = TryFiles(directory, listener, targets);
    for (TriedFile& each : TryModule(directory, listener, targets))
      files.push_back(std::move(each));
    AddFiles(files, answer);
  }
  return answer;
}

}  // namespace

void AddListenerCheck(const Command& noun) {
  auto options = std::make_shared<CheckOptions>();
  const Command verb = noun.Verb(
      "check",
      "shake hands with the running server, by TLS 1.2 and 1.3 and each key, and say whether it "
      "serves what is bound (exit status 0: it does; 1: it does not, or cannot be reached)",
      "keybroker listener check smtp --connect mail.example.test:25 --starttls smtp");
  verb.Argument("NAME", options->listener, "the listener's name")
      .Option("--for", options->kind, "its usual port on this host: " + RecipeKinds())
      .Option("--connect", options->connect, "HOST:PORT of the server")
      .Option("--starttls", options->starttls,
              "smtp, imap, pop3, nntp or none; default: as usual with --for, else none")
      .Option("--name", options->name, "server name to ask for; default: the key's name")
      .Option("--ca", options->ca, "file with the CA's root, to verify the served chain to it")
      .Option("--key", options->key, "one key name only")
      .Option("--type", options->type, "rsa or ec only")
      .Option("--tls", options->tls, "1.2 or 1.3 only")
      .Option("--files", options->files,
              "directory of its files; what is wrong with them is told when a handshake fails "
              "(default: where `listener config` suggests to write them)")
      .Option("--timeout", options->timeout, "seconds for each handshake, 1 to 60 (default 10)");
  verb.Does([options](const Invocation& i) { return ListenerCheck(i, *options); });
}

}  // namespace keybroker::cli
