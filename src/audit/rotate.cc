#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "audit/head_file.h"
#include "audit/line.h"
#include "keybroker/audit/log.h"
#include "keybroker/base/file.h"
#include "keybroker/base/hex.h"

namespace keybroker::audit {
namespace {

namespace fs = std::filesystem;

constexpr size_t kStampSize = sizeof "20261126T120000Z" - 1;

std::string Stamp() {
  const time_t now = ::time(nullptr);
  tm parts{};
  ::gmtime_r(&now, &parts);
  char text[kStampSize + 1];
  ::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
  return text;
}

// Move renames log and head. Head first: a log without its head is recovered from, but a head
// without its log would have the next start go on behind records that it takes for lost.
Status Move(const fs::path& from, const fs::path& to) {
  if (::rename(HeadPath(from).c_str(), HeadPath(to).c_str()) != 0) {
    return Fail(SystemError("cannot rename " + HeadPath(from).string(), errno));
  }
  if (::rename(from.c_str(), to.c_str()) == 0) return {};
  const int error = errno;
  ::rename(HeadPath(to).c_str(), HeadPath(from).c_str());
  return Fail(SystemError("cannot rename " + from.string(), error));
}

Result<Log> Begin(const fs::path& file, const fs::path& older, const Head& head) {
  KB_ASSIGN(Log next, Log::Open(file));
  const std::string link = LinkText(older, head);
  Event event;
  event.action = kContinues;
  event.subject = "audit";
  event.uid = ::geteuid();
  event.pid = ::getpid();
  event.result = "ok";
  event.detail = link;
  KB_TRY(next.Append(event));
  KB_TRY(next.Sync());
  return next;
}

bool IsStamp(const std::string& text) {
  return text.size() == kStampSize && text[8] == 'T' && text.back() == 'Z' &&
         std::count_if(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }) ==
             kStampSize - 2;
}

}  // namespace

std::string LinkText(const fs::path& older, const Head& head) {
  return older.filename().string() + " " + std::to_string(head.sequence) + ":" + Hex(head.hash);
}

Status Log::Rotate() {
  const fs::path older = path_.native() + "." + Stamp();
  std::error_code ignored;
  if (fs::exists(older, ignored) || fs::exists(HeadPath(older), ignored)) {
    return Fail(Conflict(older.string() + " is there already; it is tried again"));
  }
  KB_TRY(Sync());
  KB_TRY(Move(path_, older));
  auto next = Begin(path_, older, head_);
  if (!next) {
    [[maybe_unused]] const Status back = Move(older, path_);
    return Fail(std::move(next).error());
  }
  *this = std::move(*next);
  return SyncDirectoryOf(path_);
}

std::vector<fs::path> OlderFiles(const fs::path& file) {
  std::vector<fs::path> older;
  const std::string prefix = file.filename().string() + ".";
  std::error_code error;
  for (fs::directory_iterator at(file.parent_path(), error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.starts_with(prefix) && IsStamp(name.substr(prefix.size()))) {
      older.push_back(at->path());
    }
  }
  std::sort(older.begin(), older.end());
  return older;
}

}  // namespace keybroker::audit
