#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/answer.h"
#include "keybroker/base/result.h"
#include "keybroker/base/secret.h"

namespace keybroker::cli {

// What a command and the processes that work for it (UserChild) say to each other over a stream
// socket: first the secrets, each as its size (32 bits, the machine's order) and its bytes; then
// JSON. The result is JSON up to the end; a question, and its answer, is JSON and a line end.

// SendSecret gives one over; false when nobody takes it.
bool SendSecret(int fd, const Secret& secret);

// ReceiveSecrets takes count of them; Internal when they do not come whole.
Result<std::vector<Secret>> ReceiveSecrets(int fd, size_t count);

// DumpText writes JSON in one line; what is no UTF-8 is replaced.
std::string DumpText(const Json& json);

// Pack makes JSON of a result, or of an error with its code and CK_RV; Unpack is its inverse, and
// Internal for what is neither.
Json Pack(const Result<Json>& result);
Result<Json> Unpack(const std::string& text);

// ParseReply is what a process with a vendor's module in it says, which may be anything: what is
// nested deeper than any reply of ours (the stack of who copies it would end) does not parse.
Json ParseReply(const std::string& text);

// SendText is false when nobody takes it.
bool SendText(int fd, const std::string& text);

// ReceiveText gives what comes up to the end, or a line, with its end: a question or its answer.
// await waits until there is something to read; false: nothing will come any more.
Result<std::string> ReceiveText(int fd, const std::function<bool()>& await);

}  // namespace keybroker::cli
