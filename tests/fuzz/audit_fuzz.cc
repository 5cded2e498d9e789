// The audit log's verification. First byte even: the rest is the log's text, and nothing crashes; a
// line that is accepted has one spelling. First byte odd: the rest edits a good chain, and each
// edit that changes it is found. Input: as said.
#include <cstdint>
#include <string>
#include <vector>

#include "audit/judge.h"
#include "fuzz/require.h"

namespace {

using namespace keybroker::audit;
using keybroker::test::Require;

std::vector<Finding> Judged(const std::vector<std::string>& lines, const Head& head) {
  const auto hasher = Hasher::Make();
  const auto torn = Hasher::Make();
  Scanner scanner(**hasher, **torn, &head);
  for (const std::string& line : lines) Require(scanner.Add(line, true).has_value());
  return Judge(scanner.scan(), head, &head).findings;
}

struct Chain {
  std::vector<std::string> lines;
  Head head;
};

const Chain& Good() {
  static const Chain chain = [] {
    Chain made;
    const auto hasher = Hasher::Make();
    for (uint64_t i = 1; i <= 12; ++i) {
      std::string line;
      Event event;
      event.action = "sign";
      event.pid = static_cast<pid_t>(i);
      AppendPrefix(i, 1'700'000'000, 0, event, made.head.hash, &line);
      made.head = {i, (*hasher)->Of(line).value()};
      AppendHash(made.head.hash, &line);
      line.pop_back();
      made.lines.push_back(line);
    }
    return made;
  }();
  return chain;
}

// Edit does one thing to the lines: change a character, remove, copy, move or cut off.
void Edit(uint8_t what, uint8_t where, uint8_t how, std::vector<std::string>* lines) {
  if (lines->empty()) return;
  const size_t at = where % lines->size();
  const auto place = lines->begin() + static_cast<std::ptrdiff_t>(at);
  const auto other = lines->begin() + static_cast<std::ptrdiff_t>(how % lines->size());
  switch (what % 5) {
    case 0:
      if (!place->empty()) (*place)[how % place->size()] ^= 1;
      break;
    case 1:
      lines->erase(place);
      break;
    case 2: {
      const std::string copy = *place;
      lines->insert(other, copy);
      break;
    }
    case 3:
      std::swap(*place, *other);
      break;
    default:
      lines->resize(at);
  }
}

void Lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  for (const std::string& line : lines) {
    const auto parsed = ParseLine(line);
    if (!parsed) continue;
    std::string again(parsed->prefix);
    AppendHash(parsed->hash, &again);
    Require(again == line + "\n");
  }
  Judged(lines, Good().head);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  if (size == 0) return 0;
  if (bytes[0] % 2 == 0) {
    Lines({reinterpret_cast<const char*>(bytes) + 1, size - 1});
    return 0;
  }
  std::vector<std::string> lines = Good().lines;
  for (size_t i = 1; i + 3 <= size && i < 60; i += 3) {
    Edit(bytes[i], bytes[i + 1], bytes[i + 2], &lines);
  }
  Require(Judged(lines, Good().head).empty() == (lines == Good().lines));
  return 0;
}
