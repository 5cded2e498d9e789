#include "cli/restore_on_token.h"

#include "keybroker/token/key_wrap.h"

namespace keybroker::cli {

ArrivingKey ArrivingOf(const backup::Backup& backup) {
  const auto& manifest = backup.manifest;
  return {manifest.name, manifest.type, manifest.id, manifest.spki, backup.chain, false};
}

Result<Json> RestoreOnToken(const TokenAccess& access, const backup::Backup& backup,
                            const Secret& kek, bool exportable, const LoggedInCheck& before) {
  const auto& manifest = backup.manifest;
  ArrivingKey arriving = ArrivingOf(backup);
  arriving.exportable = exportable;
  KB_ASSIGN(const Challenge challenge, NewChallenge());
  KB_ASSIGN(Json outcome, access.Run(true, {&kek}, [&](LoggedIn& token) -> Result<Json> {
    if (before) KB_TRY(before(token));
    const token::UnwrapSpec spec{manifest.name, manifest.type, manifest.spki, exportable,
                                 token.profile.allowed_mechanisms};
    return ArriveOnToken(token, arriving, challenge, [&](LoggedIn& to) {
      return token::RestoreKey(to.session, backup.key, to.secrets[0], spec);
    });
  }));
  KB_TRY(CheckArrived(outcome, arriving, challenge));
  return outcome;
}

}  // namespace keybroker::cli
