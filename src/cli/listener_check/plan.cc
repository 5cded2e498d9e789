#include "cli/listener_check/plan.h"

#include "cli/answer.h"
#include "cli/certificate_commands.h"
#include "cli/listener_config/recipe.h"
#include "keybroker/base/file.h"
#include "keybroker/policy/listener.h"

namespace keybroker::cli {
namespace {

Status PlanPlace(const CheckOptions& options, Plan& plan) {
  const Recipe* recipe = nullptr;
  if (!options.kind.empty()) {
    KB_ASSIGN(recipe, FindRecipe(options.kind));
    plan.one_key = !recipe->both_types;
  }
  const bool here = recipe != nullptr && options.connect.empty();
  if (options.connect.empty() && (!here || recipe->port.empty())) {
    return Fail(WrongUsage("where does the server listen? Say --connect HOST:PORT" +
                           std::string(here ? ", " + std::string(recipe->kind) +
                                                  " has no port of "
                                                  "its own"
                                            : ", or --for KIND for its usual port on this host")));
  }
  plan.address = here ? Address{"localhost", std::string(recipe->port)} : Address{};
  if (!here) {
    KB_ASSIGN(plan.address, ParseAddress(options.connect));
  }
  const std::string usual(recipe != nullptr ? recipe->starttls : "");
  KB_ASSIGN(plan.starttls, ParseStartTls(options.starttls.empty() ? usual : options.starttls));
  return {};
}

}  // namespace

Result<Plan> MakePlan(const CheckOptions& options) {
  Plan plan;
  KB_TRY(PlanPlace(options, plan));
  if (options.tls.empty() || options.tls == "1.2") plan.versions.push_back(TlsVersion::k12);
  if (options.tls.empty() || options.tls == "1.3") plan.versions.push_back(TlsVersion::k13);
  if (plan.versions.empty()) {
    return Fail(WrongUsage("\"" + options.tls + "\" is not a version that is checked: 1.2 or 1.3"));
  }
  if (options.timeout < 1 || options.timeout > 60) {
    return Fail(WrongUsage("--timeout is 1 to 60 seconds"));
  }
  plan.limit = std::chrono::seconds(options.timeout);
  if (!options.name.empty()) KB_TRY(policy::CheckKeyName(options.name));
  plan.name = options.name;
  if (!options.ca.empty()) {
    KB_ASSIGN(const std::string text, ReadFile(options.ca));
    KB_ASSIGN(plan.anchors, ParseFile(text, options.ca));
  }
  return plan;
}

}  // namespace keybroker::cli
