#pragma once

#include "cli/answer.h"
#include "cli/arriving_key.h"
#include "cli/change.h"
#include "keybroker/base/result.h"

namespace keybroker::cli {

// NoteArrived writes down what the host keeps of the key beside the token: which generation is
// current (one that arrives never takes another's place: the answer gets a note then), and the
// chain, where `reference write` takes it from, unless there is one. For a key that was there and
// is noted already it only looks; where it is not, as when a command was cut off, the answer tells.
// True: the key, or what the host keeps of it, is new. A failure is recorded.
Result<bool> NoteArrived(Change& change, const ChangeRecord& record, const ArrivingKey& key,
                         const Json& outcome, const ArrivalWords& words, Answer& answer);

}  // namespace keybroker::cli
