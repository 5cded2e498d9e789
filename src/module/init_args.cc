#include "module/init_args.h"

#include "module/foreign_text.h"

namespace keybroker::module {
namespace {

constexpr std::string_view kSocketKey = "socket=";

CK_RV CheckLocking(const CK_C_INITIALIZE_ARGS& args) {
  const int given = (args.CreateMutex != nullptr) + (args.DestroyMutex != nullptr) +
                    (args.LockMutex != nullptr) + (args.UnlockMutex != nullptr);
  if (given != 0 && given != 4) return CKR_ARGUMENTS_BAD;
  if (given == 4 && (args.flags & CKF_OS_LOCKING_OK) == 0) return CKR_CANT_LOCK;
  return CKR_OK;
}

}  // namespace

CK_RV ReadInitArgs(const void* init_args, InitArgs* args) {
  args->socket = {};
  if (init_args == nullptr) return CKR_OK;
  const auto& given = *static_cast<const CK_C_INITIALIZE_ARGS*>(init_args);
  const CK_RV rv = CheckLocking(given);
  if (rv != CKR_OK || given.pReserved == nullptr) return rv;

  size_t size = 0;
  switch (CopyForeignText(given.pReserved, args->text, &size)) {
    case ForeignText::kCopied:
      break;
    case ForeignText::kUnreadable:
    case ForeignText::kTooLong:
      return CKR_ARGUMENTS_BAD;
    case ForeignText::kNoDescriptor:
      return CKR_HOST_MEMORY;
  }
  std::string_view text(args->text, size);
  if (!text.starts_with(kSocketKey)) return CKR_ARGUMENTS_BAD;
  text.remove_prefix(kSocketKey.size());
  if (!IsSocketPath(text)) return CKR_ARGUMENTS_BAD;
  args->socket = text;
  return CKR_OK;
}

}  // namespace keybroker::module
