#include "audit/judge.h"

#include <algorithm>
#include <limits>

#include "audit/chain.h"

namespace keybroker::audit {
namespace {

constexpr uint64_t kEndOfFile = std::numeric_limits<uint64_t>::max();

std::string Records(uint64_t first, uint64_t last) {
  if (first == last) return "record " + std::to_string(first);
  return "records " + std::to_string(first) + " to " + std::to_string(last);
}

std::string AreMissing(uint64_t first, uint64_t last) {
  return Records(first, last) + (first == last ? " is missing" : " are missing");
}

// Verdict gathers the findings; strays are taken by the gaps that they explain.
class Verdict {
 public:
  explicit Verdict(std::vector<Stray> strays) : strays_(std::move(strays)) {}

  void Add(uint64_t line, uint64_t sequence, std::string text) {
    findings_.push_back({line, sequence, std::move(text)});
  }

  // Gap judges the records first to last that are missing between the lines after and before.
  void Gap(uint64_t first, uint64_t last, uint64_t after, uint64_t before) {
    const bool tail = before == kEndOfFile;
    uint64_t next = first;
    for (auto stray = strays_.begin(); stray != strays_.end() && next <= last;) {
      if (stray->line <= after || stray->line >= before) {
        ++stray;
        continue;
      }
      if (stray->torn) {
        CutOffInside(*stray, next);
      } else {
        Changed(*stray, next);
      }
      ++next;
      stray = strays_.erase(stray);
    }
    if (next > last) return;
    if (tail) {
      Add(after, next,
          "cut off: " + AreMissing(next, last) + " at the end, the head file knows " +
              (next == last ? "it" : "them"));
    } else {
      Add(before, next, "removed: " + AreMissing(next, last) + " before this line");
    }
  }

  // Rest judges the strays that no gap explains.
  void Rest() {
    for (const Stray& stray : strays_) {
      if (stray.torn) {
        Add(stray.line, 0,
            "cut off: the last line, " + std::to_string(stray.size) +
                " bytes, has no end; if a crash did it, the writer's next start accounts for it");
      } else {
        Add(stray.line, stray.sequence,
            "inserted: this line is no record, and no record is missing here");
      }
    }
  }

  std::vector<Finding> Take() {
    std::stable_sort(findings_.begin(), findings_.end(),
                     [](const Finding& a, const Finding& b) { return a.line < b.line; });
    return std::move(findings_);
  }

 private:
  void Changed(const Stray& stray, uint64_t sequence) {
    Add(stray.line, sequence,
        stray.sequence == sequence ? "changed: the record's content does not have the record's hash"
                                   : "changed: record " + std::to_string(sequence) +
                                         " should stand here, this line does not hold together");
  }

  void CutOffInside(const Stray& stray, uint64_t sequence) {
    Add(stray.line, sequence, "cut off: the file ends inside this record");
  }

  std::vector<Stray> strays_;
  std::vector<Finding> findings_;
};

void JudgePieces(const Chain& chain, Verdict* verdict) {
  Piece before;  // the chain begins behind record 0, whose hash is zeros
  for (const Piece& piece : chain.pieces) {
    if (piece.first > before.last + 1) {
      // Where pieces were moved, what stands between them in the file explains nothing.
      const bool ordered = before.last_line < piece.first_line;
      verdict->Gap(before.last + 1, piece.first - 1, ordered ? before.last_line : piece.first_line,
                   piece.first_line);
    } else if (piece.before != before.end) {
      verdict->Add(piece.first_line, before.last,
                   "changed: " + Records(piece.first, piece.first) + " was written after another " +
                       Records(before.last, before.last) +
                       " than the one here, which was replaced and given a new hash");
    }
    before = piece;
  }
  for (const Piece& piece : chain.moved) {
    verdict->Add(piece.first_line, piece.first,
                 "moved: " + Records(piece.first, piece.last) + " stand" +
                     (piece.size() == 1 ? "s" : "") + " here, out of order");
  }
  for (const Piece& piece : chain.inserted) {
    verdict->Add(piece.first_line, piece.first,
                 "inserted: " + Records(piece.first, piece.last) + " here " +
                     (piece.size() == 1 ? "is" : "are") + " no part of the chain");
  }
}

void JudgeEnd(const Piece& end, const std::optional<Head>& head, Verdict* verdict) {
  if (!head) {
    verdict->Add(end.last_line, end.last,
                 "cut off: the head file is missing or unreadable, so records may be missing at "
                 "the end; a log that was copied needs its .head beside it, or the newest head as "
                 "--head");
  } else if (head->sequence > end.last) {
    verdict->Gap(end.last + 1, head->sequence, end.last_line, kEndOfFile);
  } else if (head->sequence == end.last && head->hash != end.end) {
    verdict->Add(end.last_line, end.last,
                 "changed: the head file knows another " + Records(end.last, end.last) +
                     " than this one, which was replaced and given a new hash");
  } else if (head->sequence < end.last) {
    verdict->Add(end.last_line, end.last,
                 "inserted: the head file does not know " + Records(head->sequence + 1, end.last) +
                     "; if a crash did it, the writer's next start says so");
  }
}

void JudgeKnown(const Scan& scan, const Piece& end, const Head* known, Verdict* verdict) {
  if (known == nullptr || known->sequence == 0 || scan.known_seen) return;
  if (known->sequence > end.last) {
    verdict->Add(end.last_line, known->sequence,
                 "cut off: record " + std::to_string(known->sequence) +
                     " was there earlier, the log ends before it");
  } else {
    verdict->Add(end.last_line, known->sequence,
                 "changed: record " + std::to_string(known->sequence) +
                     " has not the hash that it had earlier");
  }
}

}  // namespace

Judgement Judge(const Scan& scan, const std::optional<Head>& head, const Head* known) {
  Judgement judgement;
  Verdict verdict(scan.strays);
  if (scan.overflow) {
    verdict.Add(0, 0, "changed: the log is broken in more than a thousand places");
    judgement.findings = verdict.Take();
    return judgement;
  }
  const Chain chain = SortOut(scan.pieces, head);
  const Piece end = chain.pieces.empty() ? Piece{} : chain.pieces.back();
  JudgePieces(chain, &verdict);
  // The known head is as good as the file, where it is the newest record's.
  const bool known_end =
      known != nullptr && scan.known_seen && end.last != 0 && known->sequence == end.last;
  if (head || !known_end) JudgeEnd(end, head, &verdict);
  JudgeKnown(scan, end, known, &verdict);
  verdict.Rest();
  judgement.last = Head{end.last, end.end};
  judgement.findings = verdict.Take();
  judgement.end_unknown = !head && !known_end && judgement.findings.size() == 1;
  return judgement;
}

}  // namespace keybroker::audit
