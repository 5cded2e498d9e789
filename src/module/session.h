#pragma once

#include <atomic>
#include <cstdint>
#include <optional>

#include "keybroker/cryptoki/cryptoki.h"
#include "keybroker/cryptoki/mechanism.h"
#include "keybroker/wire/sign.h"
#include "module/array.h"
#include "module/mutex.h"

namespace keybroker::module {

// Search is a session's C_FindObjectsInit: what matched, and how much of it was handed out.
struct Search {
  bool active = false;
  size_t given = 0;
  Array<CK_OBJECT_HANDLE> found;
};

// SignOperation is a session's C_SignInit, which is answered without a word to the broker: all of
// it travels with the data.
struct SignOperation {
  const cryptoki::SignMechanism* mechanism = nullptr;  // nullptr: no operation is active
  wire::KeyRef key{};
  uint32_t bits = 0;
  std::optional<wire::PssParameters> pss;
  bool in_parts = false;    // C_SignUpdate was called
  Array<uint8_t> gathered;  // its parts
};

// Session is a place in the table of sessions: used again after C_CloseSession, and never freed, so
// that a late call with an old handle finds something to be refused by.
struct Session {
  Mutex mutex;
  CK_SESSION_HANDLE handle = CK_INVALID_HANDLE;  // CK_INVALID_HANDLE: not open
  CK_FLAGS flags = 0;
  std::atomic<bool> busy{false};  // a call is inside: a fork must not believe search and sign
  uint32_t next_free = 0;         // place plus one; 0: none
  Search search;
  SignOperation sign;

  // EndSearch and EndSign end the operation, if there is one, and free its memory.
  void EndSearch();
  void EndSign();
};

}  // namespace keybroker::module
