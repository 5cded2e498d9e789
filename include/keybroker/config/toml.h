#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "keybroker/base/result.h"

namespace keybroker::config {

class TomlFile;

// TomlSection reads one table strictly. A missing value yields the fallback; one of the wrong type
// or out of range does too, and is remembered as a complaint with its file and line. Strings with
// control characters are complaints. Every key that was asked for counts as known. Cheap to copy.
class TomlSection {
 public:
  bool Has(std::string_view key) const;
  int Line() const;

  std::string String(std::string_view key, std::string_view fallback) const;
  std::optional<std::string> OptionalString(std::string_view key) const;
  // RequiredString complains when the key is absent or empty.
  std::string RequiredString(std::string_view key) const;
  int64_t Integer(std::string_view key, int64_t fallback, int64_t min, int64_t max) const;
  bool Bool(std::string_view key, bool fallback) const;
  // Choice accepts the legal values only; the complaint lists them.
  std::string Choice(std::string_view key, std::string_view fallback,
                     std::initializer_list<std::string_view> legal) const;
  std::vector<std::string> Strings(std::string_view key) const;
  std::vector<int64_t> Integers(std::string_view key) const;
  std::map<std::string, std::string> StringMap(std::string_view key) const;

  // Table gives the sub-table, an empty one when it is absent. Tables gives an array of tables.
  TomlSection Table(std::string_view key) const;
  std::vector<TomlSection> Tables(std::string_view key) const;
  // Keys lists the keys of a table whose keys are names (such as key names), and knows them all.
  std::vector<std::string> Keys() const;

  // Complain records the caller's own objection to a key's value.
  void Complain(std::string_view key, std::string_view text) const;

 private:
  friend class TomlFile;
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// TomlFile is a parsed TOML 1.0 document that is checked when everything was read from it:
//   KB_ASSIGN(TomlFile file, TomlFile::Parse(text, name)); ...; KB_TRY(file.Check());
class TomlFile {
 public:
  // Parse fails Malformed with "NAME:LINE: ..." on a syntax error.
  static Result<TomlFile> Parse(std::string_view text, std::string_view name);

  TomlSection root() const { return root_; }

  // Check fails Malformed with every complaint, one a line, "NAME:LINE: ...", unknown keys
  // included.
  Status Check() const;

 private:
  TomlSection root_;
};

// TomlQuote writes text as a TOML basic string, quotes included.
std::string TomlQuote(std::string_view text);

}  // namespace keybroker::config
