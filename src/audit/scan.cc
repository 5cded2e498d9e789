#include "audit/scan.h"

#include <utility>

namespace keybroker::audit {
namespace {

// More breaks than this are not a log with damage but another file.
constexpr size_t kMaxBreaks = 1000;

// How far back a branch is looked for; a longer one is still found, but told less precisely.
constexpr size_t kRecent = 64;

}  // namespace

Status Scanner::Add(std::string_view text, bool ended) {
  ++line_;
  if (scan_.overflow) return {};
  const auto line = ended ? ParseLine(text) : std::nullopt;
  if (!line) return AddStray(text, 0, ended);
  KB_ASSIGN(const Hash hash, lines_.Of(line->prefix));
  if (hash != line->hash) return AddStray(text, line->sequence, ended);
  KB_TRY(SettleTorn(*line));
  AddRecord(*line);
  return {};
}

Status Scanner::AddStray(std::string_view text, uint64_t sequence, bool ended) {
  if (scan_.strays.size() >= kMaxBreaks) {
    scan_.overflow = true;
    return {};
  }
  if (torn_strays_ == 0) {
    torn_.Begin();
    torn_size_ = 0;
  } else {
    torn_.Add("\n");
    ++torn_size_;
  }
  torn_.Add(text);
  torn_size_ += text.size();
  ++torn_strays_;
  scan_.strays.push_back({line_, sequence, !ended, text.size()});
  return {};
}

// SettleTorn drops the strays before a "recovered" record that follows the chain and names exactly
// their bytes.
Status Scanner::SettleTorn(const Line& line) {
  const size_t strays = std::exchange(torn_strays_, 0);
  if (strays == 0) return {};
  KB_ASSIGN(const Hash hash, torn_.End());
  const std::string detail = TornDetail(torn_size_, hash);
  const bool names = line.detail == detail || line.detail.starts_with(detail + "; ");
  const bool first = scan_.pieces.empty() && line.sequence == 1 && line.previous == Hash{};
  const bool follows = !scan_.pieces.empty() && line.sequence == scan_.pieces.back().last + 1 &&
                       line.previous == scan_.pieces.back().end;
  if (line.action == kRecovered && names && (first || follows)) {
    scan_.strays.resize(scan_.strays.size() - strays);
  }
  return {};
}

// SplitAtFork divides the newest piece where line follows from one of its records: what stands
// between is another branch.
void Scanner::SplitAtFork(const Line& line) {
  for (size_t i = recent_.size(); i-- > 0;) {
    const Recent& at = recent_[i];
    if (at.sequence + 1 != line.sequence || at.hash != line.previous) continue;
    if (i + 1 == recent_.size()) return;
    const Recent& next = recent_[i + 1];
    Piece branch = scan_.pieces.back();
    Piece& trunk = scan_.pieces.back();
    branch.first_line = next.line;
    branch.first = next.sequence;
    branch.before = next.before;
    trunk.last_line = at.line;
    trunk.last = at.sequence;
    trunk.end = at.hash;
    scan_.pieces.push_back(branch);
    return;
  }
}

void Scanner::AddRecord(const Line& line) {
  ++scan_.records;
  if (line.sequence > scan_.highest) scan_.highest = line.sequence;
  if (scan_.first_time.empty()) scan_.first_time = line.time;
  scan_.last_time = line.time;
  if (line.sequence == 1 && line.action == kContinues) scan_.continues = line.detail;
  if (known_ != nullptr && known_->sequence == line.sequence && known_->hash == line.hash) {
    scan_.known_seen = true;
  }
  const bool follows = !scan_.pieces.empty() && scan_.pieces.back().last + 1 == line.sequence &&
                       scan_.pieces.back().end == line.previous;
  if (!follows) {
    if (scan_.pieces.size() >= kMaxBreaks) {
      scan_.overflow = true;
      return;
    }
    SplitAtFork(line);
    recent_.clear();
    scan_.pieces.push_back({line_, line_, line.sequence, line.sequence, line.previous, line.hash});
  }
  Piece& piece = scan_.pieces.back();
  piece.last_line = line_;
  piece.last = line.sequence;
  piece.end = line.hash;
  recent_.push_back({line_, line.sequence, line.previous, line.hash});
  if (recent_.size() > kRecent) recent_.pop_front();
}

}  // namespace keybroker::audit
