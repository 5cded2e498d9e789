#include <memory>

#include "cli/change.h"
#include "cli/token_access.h"
#include "cli/token_commands.h"
#include "cli/token_leftovers.h"

namespace keybroker::cli {
namespace {

struct TidyOptions {
  TokenOptions token;
};

Result<Answer> TokenTidy(const Invocation& invocation, const TidyOptions& options) {
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const auto access, TokenAccess::Prepare(settings, options.token));
  KB_ASSIGN(Change change, Change::Begin(settings));
  ChangeRecord record{"token-tidy", "", "", "token " + access.config().name};
  KB_ASSIGN(const Json removed, Recorded(change, record, [&] {
              return access.Run(true, [](LoggedIn& token) -> Result<Json> {
                KB_ASSIGN(const auto found, token::RemoveLeftovers(token.session));
                return LeftoversJson(found);
              });
            }));
  const std::string& name = access.config().name;
  Answer answer = MakeAnswer("", {{"token", name}, {"removed", removed}});
  if (removed.empty()) {
    answer.text = "nothing was left on the token \"" + name + "\": nothing was changed";
    return answer;
  }
  for (const Json& each : removed) answer.text += "removed " + each.get<std::string>() + "\n";
  answer.text += "no key was among them. A restore that was cut off: run it again";
  record.detail += ", " + std::to_string(removed.size()) + " objects";
  KB_TRY(change.Done(record, answer));
  return answer;
}

}  // namespace

void AddTokenTidy(const Command& noun) {
  auto options = std::make_shared<TidyOptions>();
  options->token.word = TokenWord::kArgument;
  const Command verb = noun.Verb(
      "tidy", "remove what a command that was killed left: objects that hold no key, KEKs",
      "keybroker token tidy main");
  verb.OptionalArgument("NAME", options->token.token,
                        "the token's name here; the only one when left out");
  AddPinOptions(verb, options->token.pin);
  verb.Does([options](const Invocation& i) { return TokenTidy(i, *options); });
}

}  // namespace keybroker::cli
