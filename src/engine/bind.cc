#include <openssl/engine.h>

#include <cstring>

#include "engine/engine_error.h"
#include "engine/key_loader.h"
#include "engine/reference_method.h"
#include "engine/sign_methods.h"

namespace keybroker::engine {
namespace {

constexpr int kModulePathCommand = ENGINE_CMD_BASE;

const ENGINE_CMD_DEFN kCommands[] = {
    {kModulePathCommand, "MODULE_PATH", "Absolute path of the keybroker PKCS#11 module",
     ENGINE_CMD_FLAG_STRING},
    {0, nullptr, nullptr, 0},
};

// The key is reached when the first reference is read, not here: a program that only reads the
// OpenSSL configuration makes no connection.
int Init(ENGINE*) { return 1; }
int Finish(ENGINE*) { return 1; }

int Control(ENGINE*, int command, long, void* argument, void (*)()) try {
  if (command != kModulePathCommand || argument == nullptr) return 0;
  SetModulePath(static_cast<const char*>(argument));
  return 1;
} catch (...) {
  return KB_RAISE(Reason::kInternal, "out of memory") ? 1 : 0;
}

int Bind(ENGINE* engine, const char* id) try {
  if (id != nullptr && strcmp(id, kEngineId) != 0) return 0;
  RegisterErrorStrings();
  return ENGINE_set_id(engine, kEngineId) == 1 &&
                 ENGINE_set_name(engine, "keybroker key references") == 1 &&
                 ENGINE_set_init_function(engine, Init) == 1 &&
                 ENGINE_set_finish_function(engine, Finish) == 1 &&
                 ENGINE_set_cmd_defns(engine, kCommands) == 1 &&
                 ENGINE_set_ctrl_function(engine, Control) == 1 &&
                 ENGINE_set_load_privkey_function(engine, LoadPrivateKey) == 1 &&
                 InstallSignMethods(engine) && RegisterReferenceMethod()
             ? 1
             : 0;
} catch (...) {
  return 0;
}

}  // namespace
}  // namespace keybroker::engine

// The two entries that OpenSSL's "dynamic" engine looks for (ENGINE_by_id(3)).
extern "C" {
[[gnu::visibility("default")]] unsigned long v_check(unsigned long version);
[[gnu::visibility("default")]] int bind_engine(ENGINE* engine, const char* id,
                                               const dynamic_fns* functions);
IMPLEMENT_DYNAMIC_CHECK_FN()
IMPLEMENT_DYNAMIC_BIND_FN(keybroker::engine::Bind)
}
