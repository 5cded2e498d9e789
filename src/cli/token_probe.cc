#include <memory>
#include <utility>

#include "cli/output_file.h"
#include "cli/token_access.h"
#include "cli/token_commands.h"
#include "keybroker/token/probe.h"

namespace keybroker::cli {
namespace {

struct ProbeOptions {
  TokenOptions token;
  std::string output;
};

Result<Json> Measure(LoggedIn& token) {
  KB_ASSIGN(const auto probed, token::Probe(token.token));
  Json json{{"profile", token::FormatProfile(probed.profile)}, {"lines", Json::array()}};
  for (const auto& line : probed.lines) {
    json["lines"].push_back(
        {{"field", line.field}, {"value", line.value}, {"evidence", line.evidence}});
  }
  return json;
}

Result<Answer> TokenProbe(const Invocation& invocation, const ProbeOptions& options) {
  KB_ASSIGN(const auto settings, invocation.Settings());
  KB_ASSIGN(const auto access, TokenAccess::Prepare(settings, options.token));
  KB_ASSIGN(const Json measured, access.Run(true, Measure));
  std::vector<std::vector<std::string>> rows{{"FIELD", "VALUE", "EVIDENCE"}};
  for (const auto& line : measured["lines"]) {
    rows.push_back({GetText(line, "field"), GetText(line, "value"), GetText(line, "evidence")});
  }
  Answer answer = MakeAnswer(Columns(rows), {{"token", access.config().name},
                                             {"lines", measured["lines"]},
                                             {"profile", GetText(measured, "profile")}});
  if (!options.output.empty()) {
    const std::string table = answer.text;
    KB_TRY(WriteOutput(options.output, GetText(measured, "profile"), {}, "the profile", answer));
    if (options.output != "-") answer.text = table + answer.text;
  }
  return answer;
}

}  // namespace

void AddTokenProbe(const Command& noun) {
  auto options = std::make_shared<ProbeOptions>();
  options->token.word = TokenWord::kArgument;
  const Command verb = noun.Verb("probe", "measure what a token can do, with session objects only",
                                 "keybroker token probe soft -o softhsm2.toml");
  verb.OptionalArgument("NAME", options->token.token,
                        "the token's name here; the only one when left out")
      .Option("-o,--output", options->output, "write the profile to a file, - for standard output");
  AddPinOptions(verb, options->token.pin);
  verb.Does([options](const Invocation& i) { return TokenProbe(i, *options); });
}

}  // namespace keybroker::cli
