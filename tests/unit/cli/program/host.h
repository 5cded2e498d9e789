#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include "keybroker/base/json.h"

#include "support/command.h"
#include "support/temp_dir.h"

namespace keybroker::cli::test {

inline constexpr char kPin[] = "271828";
inline constexpr char kName[] = "mail.example.test";

// Host is a host of its own for the built program: configuration, state and a
// SoftHSM2 in a temporary folder. The commands run as whoever runs the test: as
// root they change users.
class Host : public ::testing::Test {
 protected:
  using Json = nlohmann::json;

  // SetUp gives each test of a suite its own copy of what Make made for the first one that runs.
  void SetUp() override;

  // Make makes the host from nothing. What is no file of the host's folder, such as a member, is a
  // SetUp's, after this one's.
  virtual void Make();

  // Run runs `keybroker --config ... ARGUMENTS`; Text is its standard output
  // when it succeeds, and fails the test when it does not; Fails is its
  // standard error when it exits with 1, Misused when with 2. All give the
  // commands in what is printed without that --config; RunAsTyped gives them as they are.
  keybroker::test::CommandResult Run(const keybroker::test::Arguments& arguments) const;
  keybroker::test::CommandResult RunAsTyped(const keybroker::test::Arguments& arguments) const;
  std::string Text(const keybroker::test::Arguments& arguments) const;
  std::string Fails(const keybroker::test::Arguments& arguments) const;
  std::string Misused(const keybroker::test::Arguments& arguments) const;
  Json Answer(keybroker::test::Arguments arguments) const;

  // AddToken configures the token "main" with the label; InitToken initialises
  // it too.
  void AddToken(const std::string& label = "stack");
  void InitToken();
  void InitNssToken();  // "main" is a new NSS database
  keybroker::test::Arguments TokenArguments(const std::string& name,
                                            const std::string& label) const;

  // MakeBlankToken initialises a further SoftHSM2 token behind keybroker's
  // back.
  void MakeToken(const std::string& label) const;

  // GiveTokenFiles gives the token's user what a program that was run on it as root has written.
  void GiveTokenFiles() const;

  // OpenSsl runs the command-line tool; the CA is made by MakeCa and signs by
  // Sign, valid from now for so many days. SignBetween takes the dates in openssl's
  // form, "20200101000000Z".
  void OpenSsl(const keybroker::test::Arguments& arguments) const;
  void MakeCa() const;
  std::filesystem::path Sign(const std::string& request, const std::string& names,
                             const std::string& file, int days = 30) const;
  void SignBetween(const std::string& request, const std::string& from, const std::string& until,
                   const std::string& file) const;

  // Id is the CKA_ID of the current key of a name and type.
  std::string Id(const std::string& name, const std::string& type) const;

  std::filesystem::path File(const std::string& name) const { return dir_ / name; }
  std::string Read(const std::string& name) const { return keybroker::test::ReadAll(File(name)); }
  void Write(const std::string& name, const std::string& text, unsigned mode = 0644) const;
  void GiveToTokenUser(const std::string& name) const;

  // AllowTheFloor configures the cheapest key derivation that this build allows.
  void AllowTheFloor() const;

  keybroker::test::TempDir dir_{keybroker::test::TempDir::kSamePath};
};

}  // namespace keybroker::cli::test
