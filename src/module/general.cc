// General-purpose functions (PKCS#11 v2.40 section 5.4) and parallel function management (5.15).
// C_GetFunctionList is in function_list.cc.
#include "module/fill.h"
#include "module/init_args.h"
#include "module/process.h"

namespace keybroker::module {
namespace {

constexpr CK_VERSION kCryptokiVersion = {2, 40};
constexpr CK_VERSION kModuleVersion = {0, 1};

// CKR_OK for the first C_Initialize of a process, and for the first of a forked child, which may
// as well go on without one.
CK_RV Begin(Process& process) {
  if ((process.epoch.load() & 1) == 0) {
    ++process.epoch;
    return CKR_OK;
  }
  return process.inherited.exchange(false) ? CKR_OK : CKR_CRYPTOKI_ALREADY_INITIALIZED;
}

}  // namespace
}  // namespace keybroker::module

using namespace keybroker::module;

CK_RV C_Initialize(void* pInitArgs) {
  const Call call;
  InitArgs args;
  const CK_RV rv = ReadInitArgs(pInitArgs, &args);
  if (rv != CKR_OK) return rv;
  Process& process = call.process();
  const Hold hold(process.mutex);
  // Also when it is no news: modutil gives NULL first and its string afterwards.
  if (!process.path.Choose(args.socket)) return CKR_ARGUMENTS_BAD;
  return Begin(process);
}

CK_RV C_Finalize(void* pReserved) {
  const Call call;
  if (!call.initialized()) return CKR_CRYPTOKI_NOT_INITIALIZED;
  if (pReserved != nullptr) return CKR_ARGUMENTS_BAD;
  Process& process = call.process();
  {
    const Hold hold(process.mutex);
    if (!call.alive()) return CKR_CRYPTOKI_NOT_INITIALIZED;
    ++process.epoch;
    process.inherited = false;
    process.logged_in = false;
    process.path.Reopen();
    process.outage.End();
    process.losses.End();
    process.view.Doubt();
    process.pool.DropIdle();
    process.pool.Interrupt();
  }
  // The calls that were waiting have been woken and see that it is over.
  process.sessions.CloseAll();
  return CKR_OK;
}

CK_RV C_GetInfo(CK_INFO* pInfo) {
  const Call call;
  if (!call.initialized()) return CKR_CRYPTOKI_NOT_INITIALIZED;
  if (pInfo == nullptr) return CKR_ARGUMENTS_BAD;
  *pInfo = {};
  pInfo->cryptokiVersion = kCryptokiVersion;
  FillText(pInfo->manufacturerID, "keybroker");
  FillText(pInfo->libraryDescription, "keybroker PKCS#11 module");
  pInfo->libraryVersion = kModuleVersion;
  return CKR_OK;
}

CK_RV C_GetFunctionStatus(CK_SESSION_HANDLE) { return CKR_FUNCTION_NOT_PARALLEL; }
CK_RV C_CancelFunction(CK_SESSION_HANDLE) { return CKR_FUNCTION_NOT_PARALLEL; }
