#pragma once

#include "cli/command.h"

namespace keybroker::cli {

// AddCommands adds every noun and verb. Each of the others is in the file of its noun.
void AddCommands(const Command& root);

void AddSetup(const Command& root);
void AddToken(const Command& root);
void AddKey(const Command& root);
void AddRequest(const Command& root);
void AddCertificate(const Command& root);
void AddReference(const Command& root);
void AddBackup(const Command& root);
void AddDrill(const Command& root);
void AddListener(const Command& root);
void AddRun(const Command& root);
void AddStatus(const Command& root);
void AddWhy(const Command& root);
void AddDoctor(const Command& root);
void AddAudit(const Command& root);
void AddReload(const Command& root);

}  // namespace keybroker::cli
