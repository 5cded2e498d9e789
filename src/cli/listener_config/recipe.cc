#include "cli/listener_config/recipe.h"

#include "cli/answer.h"
#include "cli/nearest.h"

namespace keybroker::cli {

const std::vector<const Recipe*>& AllRecipes() {
  static const std::vector<const Recipe*> kAll = {
      &kNginx,   &kApache, &kHaproxy, &kStunnel,        &kPostfix,
      &kDovecot, &kNnrpd,  &kExim,    &kGenericOpenssl, &kGenericGnutls};
  return kAll;
}

std::string RecipeKinds() {
  std::string kinds;
  for (const Recipe* recipe : AllRecipes()) {
    kinds += (kinds.empty() ? "" : "|") + std::string(recipe->kind);
  }
  return kinds;
}

Result<const Recipe*> FindRecipe(std::string_view kind) {
  for (const Recipe* recipe : AllRecipes()) {
    if (recipe->kind == kind) return recipe;
  }
  std::vector<std::string> kinds;
  for (const Recipe* recipe : AllRecipes()) kinds.emplace_back(recipe->kind);
  const std::string near = Nearest(kind, kinds);
  return Fail(WrongUsage("\"" + std::string(kind) + "\" is not a server that keybroker knows" +
                         (near.empty() ? "" : " (did you mean " + near + "?)") + ": " +
                         RecipeKinds()));
}

}  // namespace keybroker::cli
