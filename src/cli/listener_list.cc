#include <memory>

#include "cli/listener_commands.h"
#include "cli/listener_file.h"
#include "cli/listener_text.h"

namespace keybroker::cli {
namespace {

Result<Answer> ListenerList(const Invocation& invocation) {
  KB_ASSIGN(const auto settings, invocation.Settings());
  if (!std::filesystem::exists(settings.listeners_dir)) {
    return Fail(NotFound("the directory of the listeners' files, " +
                         settings.listeners_dir.string() +
                         ", is missing: `keybroker setup` makes it, or correct listeners_dir in " +
                         settings.file.string()));
  }
  KB_ASSIGN(const auto names, ListenerNames(settings));
  Answer answer;
  Json all = Json::array();
  for (const std::string& name : names) {
    const auto listener = LoadListener(settings, name);
    if (listener) {
      all.push_back(ListenerJson(settings, *listener));
    } else {
      answer.notes.push_back(listener.error().detail);
      answer.good = false;
    }
  }
  answer.text = ListenerTable(all);
  answer.json["listeners"] = all;
  return answer;
}

Result<Answer> ListenerShow(const Invocation& invocation, const std::string& name) {
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const auto listener, LoadListener(settings, name));
  return MakeAnswer(ListenerText(settings, listener),
                    {{"listener", ListenerJson(settings, listener)}});
}

}  // namespace

void AddListenerViews(const Command& noun) {
  noun.Verb("list", "show every listener", "keybroker listener list").Does(ListenerList);
  auto show = std::make_shared<std::string>();
  const Command shower = noun.Verb("show", "show a listener", "keybroker listener show smtp");
  shower.Argument("NAME", *show, "its name");
  shower.Does([show](const Invocation& i) { return ListenerShow(i, *show); });
}

}  // namespace keybroker::cli
