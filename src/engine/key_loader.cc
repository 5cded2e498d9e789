#include "engine/key_loader.h"

#include <libp11.h>
#include <pthread.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "engine/engine_error.h"

namespace keybroker::engine {
namespace {

// One per process, and never destroyed: listeners free keys after exit handlers have run.
struct State {
  std::string module_path = KB_DEFAULT_MODULE_PATH;
  Module module;
  PKCS11_CTX* libp11 = nullptr;
  PKCS11_SLOT* slots = nullptr;
  unsigned int slot_count = 0;
  // What libp11 listed last, of which token, in which process; good until it lists slots or keys
  // again.
  PKCS11_TOKEN* listed_token = nullptr;
  pid_t listed_by = 0;
  PKCS11_KEY* keys = nullptr;
  unsigned int key_count = 0;
};

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

// A fork waits for a key that another thread is loading, so that the child's state is whole.
void LockForFork() { pthread_mutex_lock(&mutex); }
void UnlockAfterFork() { pthread_mutex_unlock(&mutex); }

State& TheState() {
  static State* state = [] {
    pthread_atfork(LockForFork, UnlockAfterFork, UnlockAfterFork);
    return new State;
  }();
  return *state;
}

class Lock {
 public:
  Lock() { pthread_mutex_lock(&mutex); }
  ~Lock() { pthread_mutex_unlock(&mutex); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
};

bool StartLibp11(State& state) {
  if (state.libp11 != nullptr) return true;
  PKCS11_CTX* libp11 = PKCS11_CTX_new();
  if (libp11 == nullptr) return KB_RAISE(Reason::kInternal, "PKCS11_CTX_new failed");
  PKCS11_CTX_init_args(libp11, state.module.init_args());
  if (PKCS11_CTX_load(libp11, state.module.path().c_str()) != 0) {
    PKCS11_CTX_free(libp11);
    return KB_RAISE(Reason::kModuleFailed, "%s: PKCS11_CTX_load failed",
                    state.module.path().c_str());
  }
  state.libp11 = libp11;
  return true;
}

PKCS11_TOKEN* FindToken(State& state, CK_SLOT_ID id) {
  for (unsigned int i = 0; i < state.slot_count; ++i) {
    PKCS11_SLOT* slot = &state.slots[i];
    if (slot->token != nullptr && PKCS11_get_slotid_from_slot(slot) == id) return slot->token;
  }
  return nullptr;
}

// The token in slot id. What libp11 has listed is kept: its key objects live in the list.
PKCS11_TOKEN* TokenInSlot(State& state, CK_SLOT_ID id) {
  PKCS11_TOKEN* token = FindToken(state, id);
  if (token != nullptr) return token;
  state.listed_token = nullptr;
  if (PKCS11_update_slots(state.libp11, &state.slots, &state.slot_count) == 0) {
    token = FindToken(state, id);
  }
  if (token == nullptr) {
    KB_RAISE(Reason::kTokenAway, "the token went away while its key was loaded; try again");
  }
  return token;
}

PKCS11_KEY* ListedKey(const State& state, const PKCS11_TOKEN* token, const std::string& id) {
  if (state.listed_token != token || state.listed_by != getpid()) return nullptr;
  for (unsigned int i = 0; i < state.key_count; ++i) {
    PKCS11_KEY& key = state.keys[i];
    if (key.id_len == id.size() && memcmp(key.id, id.data(), id.size()) == 0) return &key;
  }
  return nullptr;
}

// Lists the token's keys only for one that is not in the list: a process that loads a second key
// asks the broker nothing more.
EVP_PKEY* KeyOnToken(State& state, PKCS11_TOKEN* token, const std::string& id) {
  PKCS11_KEY* listed = ListedKey(state, token, id);
  if (listed == nullptr) {
    state.listed_token = nullptr;
    if (PKCS11_enumerate_keys(token, &state.keys, &state.key_count) != 0) {
      KB_RAISE(Reason::kKeyUnusable, "libp11 cannot list the token's private keys");
      return nullptr;
    }
    state.listed_token = token;
    state.listed_by = getpid();
    listed = ListedKey(state, token, id);
  }
  if (listed == nullptr) {
    KB_RAISE(Reason::kKeyNotFound, "the key went away while it was loaded; try again");
    return nullptr;
  }
  EVP_PKEY* key = PKCS11_get_private_key(listed);
  if (key == nullptr) {
    KB_RAISE(Reason::kKeyUnusable,
             "libp11 cannot use the key; an EC key needs its public key object on the token too");
  }
  return key;
}

// Keeps, with OpenSSL's key, where its private key is.
bool Note(EVP_PKEY* key, const TokenKey& place) {
  bool noted = false;
  if (RSA* rsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA ? EVP_PKEY_get1_RSA(key) : nullptr) {
    noted = Attach(rsa, place);
    RSA_free(rsa);
  }
  if (EC_KEY* ec = EVP_PKEY_get_base_id(key) == EVP_PKEY_EC ? EVP_PKEY_get1_EC_KEY(key) : nullptr) {
    noted = Attach(ec, place);
    EC_KEY_free(ec);
  }
  return noted;
}

}  // namespace

void SetModulePath(std::string path) {
  State& state = TheState();
  Lock lock;
  state.module_path = std::move(path);
}

EVP_PKEY* LoadKey(const credential::Reference& reference) {
  State& state = TheState();
  Lock lock;
  TokenKey place;
  if (!state.module.Open(state.module_path) || !state.module.Initialize(reference) ||
      !state.module.FindKey(reference, &place) || !StartLibp11(state)) {
    return nullptr;
  }
  PKCS11_TOKEN* token = TokenInSlot(state, place.slot);
  EVP_PKEY* key = token == nullptr ? nullptr : KeyOnToken(state, token, reference.id);
  if (key == nullptr || Note(key, place)) return key;
  EVP_PKEY_free(key);
  KB_RAISE(Reason::kKeyUnusable, "neither an RSA nor an EC key");
  return nullptr;
}

const Module& TheModule() { return TheState().module; }

}  // namespace keybroker::engine
