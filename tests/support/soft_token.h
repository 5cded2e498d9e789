#pragma once

#include <memory>
#include <string>

#include "keybroker/token/config.h"
#include "keybroker/token/token.h"
#include "support/temp_dir.h"

namespace keybroker::test {

inline constexpr char kUserPin[] = "1234";
inline constexpr char kSoPin[] = "12345678";

// TestSecret is a Secret of text. Aborts when there is no memory.
Secret TestSecret(std::string_view text);

// SoftToken is a throw-away token of a software module, in a folder of its own.
class SoftToken {
 public:
  virtual ~SoftToken() = default;

  // config names it as tokens.d would. The module may be loaded once at a time in a process.
  const token::TokenConfig& config() const { return config_; }
  const std::filesystem::path& dir() const { return dir_.path(); }
  std::filesystem::path GuardDir() const { return dir_ / "guard"; }

  // Open loads the module and finds the token; LogIn also logs in.
  token::Token Open() const;
  token::Token LogIn() const;

 protected:
  TempDir dir_{MemoryDir()};
  token::TokenConfig config_;
};

// SoftHsmToken is an initialised SoftHSM2 token labelled "kb".
class SoftHsmToken : public SoftToken {
 public:
  SoftHsmToken();

  // AddToken initialises one more token with the label.
  void AddToken(std::string_view label);
};

// NewNssDatabase is a folder in which NSS softoken makes a database without a password; NssToken is
// a database that has one.
class NewNssDatabase : public SoftToken {
 public:
  NewNssDatabase();
};
class NssToken : public NewNssDatabase {
 public:
  NssToken();
};

// MakeSoftToken makes one of them by its kind, "softhsm" or "nss": a parameter of tests.
std::unique_ptr<SoftToken> MakeSoftToken(const std::string& kind);

}  // namespace keybroker::test
