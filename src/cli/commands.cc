#include "cli/commands.h"

namespace keybroker::cli {

void AddCommands(const Command& root) {
  AddSetup(root);
  AddToken(root);
  AddKey(root);
  AddRequest(root);
  AddCertificate(root);
  AddReference(root);
  AddBackup(root);
  AddDrill(root);
  AddListener(root);
  AddRun(root);
  AddStatus(root);
  AddWhy(root);
  AddDoctor(root);
  AddAudit(root);
  AddReload(root);
}

}  // namespace keybroker::cli
