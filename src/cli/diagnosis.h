#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/answer.h"
#include "keybroker/base/result.h"
#include "keybroker/config/settings.h"

namespace keybroker::cli {

// Diagnosis collects what `keybroker doctor` finds, one line each.
class Diagnosis {
 public:
  enum class Level { kOk, kWarning, kWrong };
  struct Line {
    Level level;
    std::string subject;  // "token main"
    std::string text;     // what is so, or what is wrong and what to do
  };

  void Ok(std::string subject, std::string text) {
    lines_.push_back({Level::kOk, std::move(subject), std::move(text)});
  }
  void Warn(std::string subject, std::string text) {
    lines_.push_back({Level::kWarning, std::move(subject), std::move(text)});
  }
  void Wrong(std::string subject, std::string text) {
    lines_.push_back({Level::kWrong, std::move(subject), std::move(text)});
  }

  const std::vector<Line>& lines() const { return lines_; }

 private:
  std::vector<Line> lines_;
};

// OwnedPath is a path and what it must be for keybroker to be safe.
struct OwnedPath {
  std::filesystem::path path;
  std::string owner;                                           // empty: root or ourselves
  bool is_private;                                             // nobody else may read it either
  std::string remedy = "`keybroker setup` makes directories";  // when it is missing
};

// ProblemWith says what is wrong with a path's existence, owner or mode, and what to do; empty when
// all is well.
std::string ProblemWith(const OwnedPath& wanted);

// Each examines one part. broker_status is the running broker's, or null.
void ExamineFiles(const config::Settings& settings, Diagnosis& diagnosis);
void ExamineScratch(Diagnosis& diagnosis);
void ExaminePrograms(Diagnosis& diagnosis);
void ExamineListenerSide(const std::filesystem::path& module, const std::filesystem::path& engine,
                         Diagnosis& diagnosis);
void ExamineBroker(const config::Settings& settings, const Result<Json>& broker_status,
                   Diagnosis& diagnosis);
void ExamineTokens(const config::Settings& settings, Diagnosis& diagnosis);
void ExamineListeners(const config::Settings& settings, bool broker_runs, Diagnosis& diagnosis);
void ExamineKeys(const config::Settings& settings, const Json& broker_status, int64_t now,
                 Diagnosis& diagnosis);

// ExamineBackups looks at the recovery certificates, and warns of each current key that has no
// backup, or whose last verified backup or last drill is too old, or not on record.
void ExamineBackups(const config::Settings& settings, int64_t now, Diagnosis& diagnosis);

}  // namespace keybroker::cli
