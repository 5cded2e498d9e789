#include "cli/command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "cli/commands.h"
#include "cli/man_page.h"
#include "cli/nearest.h"
#include "cli/typed_command.h"
#include "keybroker/base/joined.h"

namespace keybroker::cli {
namespace {

constexpr char kCommonOptions[] = "Every command takes --config FILE and --json too.";

// AsksForJson looks for --json itself: a command line that does not parse has no parsed options.
bool AsksForJson(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--json") == 0) return true;
  }
  return false;
}

std::vector<PageEntry> Entries(const CLI::App& app, const std::string& path) {
  std::vector<PageEntry> entries;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    const std::string full = path + " " + sub->get_name();
    if (sub->get_group().empty()) continue;
    const auto below = Entries(*sub, full);
    if (below.empty()) entries.push_back({full, sub->help(path)});
    entries.insert(entries.end(), below.begin(), below.end());
  }
  return entries;
}

std::vector<std::string> WordsOf(const CLI::App& app) {
  std::vector<std::string> words;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    words.push_back(sub->get_name());
  }
  return words;
}

std::vector<std::string> OptionsOf(const CLI::App* app) {
  std::vector<std::string> options;
  for (; app != nullptr; app = app->get_parent()) {
    for (const CLI::Option* option : app->get_options()) {
      for (const std::string& name : option->get_lnames()) options.push_back("--" + name);
    }
  }
  return options;
}

std::string Quoted(const std::string& noun, const std::string& verb) {
  return "`keybroker " + noun + (verb.empty() ? "" : " ") + verb + "`";
}

// NamedElsewhere is for the right verb behind the wrong noun, or behind none.
std::string NamedElsewhere(const CLI::App& root, std::string_view word) {
  std::vector<std::string> commands;
  for (const std::string& noun : WordsOf(root)) {
    if (noun == word) commands.push_back(Quoted(noun, ""));
    for (const std::string& verb : WordsOf(*root.get_subcommand(noun))) {
      if (verb == word) commands.push_back(Quoted(noun, verb));
    }
  }
  return commands.empty() ? "" : ": did you mean " + Joined(commands, " or ") + "?";
}

// Meant looks for the first word that this program does not have, and for the one that is near it.
std::string Meant(const CLI::App& root, int argc, char** argv) {
  const CLI::App* app = &root;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word.starts_with("--")) {
      const auto name = word.substr(0, word.find('='));
      const auto options = OptionsOf(app);
      if (std::find(options.begin(), options.end(), name) != options.end()) continue;
      return DidYouMean(name, options);
    }
    const auto words = WordsOf(*app);
    if (words.empty()) continue;
    if (std::find(words.begin(), words.end(), word) == words.end()) {
      // It may be the value of an option in front of the noun.
      if (i > 1 && std::string_view(argv[i - 1]).starts_with("--")) continue;
      const std::string elsewhere = NamedElsewhere(root, word);
      return elsewhere.empty() ? DidYouMean(word, words) : elsewhere;
    }
    app = app->get_subcommand(std::string(word));
  }
  return {};
}

// TypableJson puts --config into the commands in the sentences of ours: an answer's other fields
// are names, paths and what others wrote, and a text that ends a line is that of a file.
void TypableJson(Json& json, const std::string& config, const std::vector<std::string>& words) {
  constexpr std::array kSentences = {"text",   "hint",        "message",   "failure",
                                     "detail", "broker_text", "next_login"};
  if (json.is_array()) {
    for (Json& each : json) TypableJson(each, config, words);
  } else if (json.is_object()) {
    for (auto& [field, value] : json.items()) {
      const bool sentence =
          std::find(kSentences.begin(), kSentences.end(), field) != kSentences.end();
      if (sentence && value.is_string() && !value.get_ref<const std::string&>().ends_with('\n')) {
        value = WithConfig(value.get<std::string>(), config, words);
      } else {
        TypableJson(value, config, words);
      }
    }
  }
}

// Typable is answer with the commands in it as they have to be typed where --config was given.
Result<Answer> Typable(Result<Answer> answer, const std::string& config,
                       const std::vector<std::string>& words) {
  if (!answer) {
    Error error = answer.error();
    error.detail = WithConfig(error.detail, config, words);
    return Fail(std::move(error));
  }
  answer->text = WithConfig(answer->text, config, words);
  TypableJson(answer->json, config, words);
  for (std::string& note : answer->notes) note = WithConfig(note, config, words);
  return answer;
}

}  // namespace

Command Command::Noun(const std::string& name, const std::string& help) const {
  CLI::App* sub = app_->add_subcommand(name, help);
  sub->require_subcommand(1)->fallthrough();
  sub->footer("");  // not the root's: its first verb gives it one
  return {sub, chosen_};
}

Command Command::Verb(const std::string& name, const std::string& help,
                      const std::string& example) const {
  CLI::App* sub = app_->add_subcommand(name, help);
  sub->fallthrough();
  const std::string footer = "Example:\n  " + example + "\n\n" + kCommonOptions;
  sub->footer(footer);
  if (app_->get_parent() != nullptr && app_->get_footer().empty()) app_->footer(footer);
  return {sub, chosen_};
}

const Command& Command::Argument(const std::string& name, std::string& value,
                                 const std::string& help) const {
  app_->add_option(name, value, help)->required();
  return *this;
}

const Command& Command::OptionalArgument(const std::string& name, std::string& value,
                                         const std::string& help) const {
  app_->add_option(name, value, help);
  return *this;
}

const Command& Command::Arguments(const std::string& name, std::vector<std::string>& values,
                                  const std::string& help) const {
  app_->add_option(name, values, help);
  return *this;
}

const Command& Command::Option(const std::string& name, std::string& value,
                               const std::string& help) const {
  app_->add_option(name, value, help);
  return *this;
}

const Command& Command::Required(const std::string& name, std::string& value,
                                 const std::string& help) const {
  app_->add_option(name, value, help)->required();
  return *this;
}

const Command& Command::Option(const std::string& name, unsigned& value,
                               const std::string& help) const {
  app_->add_option(name, value, help);
  return *this;
}

const Command& Command::Option(const std::string& name, int& value, const std::string& help) const {
  app_->add_option(name, value, help);
  return *this;
}

const Command& Command::Repeated(const std::string& name, std::vector<std::string>& values,
                                 const std::string& help) const {
  // One value each time: an option must never swallow the argument that follows its value.
  app_->add_option(name, values, help)->expected(1)->take_all();
  return *this;
}

const Command& Command::Flag(const std::string& name, bool& value, const std::string& help) const {
  app_->add_flag(name, value, help);
  return *this;
}

void Command::Does(Action action) const {
  app_->callback([chosen = chosen_, action = std::move(action)] { *chosen = action; });
}

int RunCommandLine(int argc, char** argv) {
  CLI::App app(
      "keybroker keeps TLS private keys on a PKCS#11 token and lets listeners sign "
      "with them.",
      "keybroker");
  Invocation invocation;
  std::string config(config::kDefaultConfig);
  bool man_page = false;
  Action chosen;
  app.add_option("--config", config, "keybroker.toml to use")->capture_default_str();
  app.add_flag("--json", invocation.json, "print the answer, or the error, as JSON");
  app.add_flag("--man-page", man_page, "print this program's man page")->group("");
  app.set_version_flag("--version", "keybroker " KB_VERSION);
  app.footer(
      "Example:\n  keybroker status\n\nkeybroker NOUN VERB --help tells more. Exit status: "
      "0 done, 1 failed, 2 wrong usage, 3 denied (why), 10 to 20 a backup file that is not right "
      "(backup verify --help).");
  AddCommands(Command(&app, &chosen));
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    const std::string meant = Meant(app, argc, argv);  // ends in a question mark
    return PrintUsage(
        error.what() + meant + (meant.empty() ? ". " : " ") + "Run with --help for how to say it",
        AsksForJson(argc, argv));
  }
  if (man_page) {
    Answer page;
    page.text = FormatManPage(app.help(), Entries(app, "keybroker"));
    return Print(page, false);
  }
  if (!chosen)
    return PrintUsage("a command is needed. Run with --help for the list", invocation.json);
  invocation.config = config;
  Result<Answer> answer = chosen(invocation);
  if (app.count("--config") > 0) answer = Typable(std::move(answer), config, WordsOf(app));
  return Print(answer, invocation.json);
}

}  // namespace keybroker::cli
