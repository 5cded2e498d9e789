#pragma once

#include "module/catalogue.h"
#include "module/process.h"

namespace keybroker::module {

// Need is how much of the broker's word a call wants.
enum class Need : uint8_t {
  kPresence,  // does it answer, and is its token there; at most kFreshMs old
  kKeys,      // a catalogue, at most kFreshMs old
  kNewKeys,   // the same, and one that this search has not used before
};

// Refresh gives the catalogue (nothing with kPresence), asking the broker where what is known is
// too old: not at all, by Hello alone, by one small message when the generation is unchanged, or
// page by page. search, with kNewKeys, tells one search from another: see View::UseUp. *asked,
// where there is one, says whether the broker was asked. Errors as Ask.
CK_RV Refresh(const Call& call, Need need, CatalogueHold* catalogue,
              uint64_t search = View::kAnySearch, bool* asked = nullptr);

// FindObject gives the object of a handle, in a catalogue that stays while catalogue is held. A
// handle that is not in the catalogue is asked for once. CKR_OK with key == nullptr: there is none.
CK_RV FindObject(const Call& call, CK_OBJECT_HANDLE handle, CatalogueHold* catalogue,
                 Object* object);

}  // namespace keybroker::module
