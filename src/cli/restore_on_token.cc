#include "cli/restore_on_token.h"

#include "keybroker/token/key_wrap.h"

namespace keybroker::cli {

ArrivingKey ArrivingOf(const backup::Backup& backup) {
  const auto& manifest = backup.manifest;
  return {manifest.name, manifest.type, manifest.id, manifest.spki, backup.chain, false};
}

Result<Json> RestoreOnToken(LoggedIn& token, const backup::Backup& backup, bool exportable) {
  const auto& manifest = backup.manifest;
  const token::UnwrapSpec spec{manifest.name, manifest.type, manifest.spki, exportable,
                               token.profile.allowed_mechanisms};
  ArrivingKey arriving = ArrivingOf(backup);
  arriving.exportable = exportable;
  return ArriveOnToken(token, arriving, [&](LoggedIn& to) {
    return token::RestoreKey(to.session, backup.key, to.secrets[0], spec);
  });
}

}  // namespace keybroker::cli
