#include <memory>

#include "cli/change.h"
#include "cli/pin.h"
#include "cli/token_access.h"
#include "cli/token_commands.h"
#include "cli/token_leftovers.h"
#include "cli/token_tidy.h"

namespace keybroker::cli {
namespace {

std::string Listed(const Json& objects) {
  std::string text;
  for (const Json& each : objects) {
    if (each.is_string()) text += "\n  " + each.get<std::string>();
  }
  return text;
}

}  // namespace

Result<Answer> TidyToken(const config::Settings& settings, const TidyOptions& options) {
  KB_ASSIGN(const auto access, TokenAccess::Prepare(settings, options.token));
  const std::string& name = access.config().name;
  KB_ASSIGN(const Json found, access.Run(false, [](LoggedIn& token) -> Result<Json> {
    KB_ASSIGN(const auto leftovers, token::FindLeftovers(token.session));
    return LeftoversJson(leftovers);
  }));
  if (found.empty()) {
    return MakeAnswer("nothing was left on the token \"" + name + "\": nothing was changed",
                      {{"token", name}, {"removed", found}});
  }
  KB_TRY(Confirm("This destroys on the token \"" + name + "\":" + Listed(found) +
                     "\nIf another program uses this token, be sure that none of them is its own",
                 name, options.yes));
  KB_ASSIGN(Change change, Change::Begin(settings));
  ChangeRecord record{"token-tidy", "", "", "token " + name};
  KB_ASSIGN(const Json removed, Recorded(change, record, [&] {
              return access.Run(true, [&found](LoggedIn& token) -> Result<Json> {
                KB_ASSIGN(const auto now, token::FindLeftovers(token.session));
                if (LeftoversJson(now) != found) {
                  return Fail(
                      Conflict("what is left on the token has changed since it was shown: "
                               "nothing was removed. Run this again"));
                }
                KB_ASSIGN(const auto gone, token::RemoveLeftovers(token.session));
                return LeftoversJson(gone);
              });
            }));
  Answer answer = MakeAnswer(
      "removed" + Listed(removed) + "\nnext: if it was a restore that was cut off, run it again",
      {{"token", name}, {"removed", removed}});
  record.detail += ", " + std::to_string(removed.size()) + " objects";
  KB_TRY(change.Done(record, answer));
  return answer;
}

void AddTokenTidy(const Command& noun) {
  auto options = std::make_shared<TidyOptions>();
  options->token.word = TokenWord::kArgument;
  const Command verb = noun.Verb(
      "tidy", "remove what a command that was killed left: objects that hold no key, KEKs",
      "keybroker token tidy main");
  verb.OptionalArgument("NAME", options->token.token,
                        "the token's name here; the only one when left out");
  verb.Flag("--yes", options->yes, "do not ask to type the token's name");
  AddPinOptions(verb, options->token.pin);
  verb.Does([options](const Invocation& invocation) -> Result<Answer> {
    KB_ASSIGN(const auto settings, invocation.Settings());
    return TidyToken(settings, *options);
  });
}

}  // namespace keybroker::cli
