#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "keybroker/base/result.h"

namespace keybroker::token {

// Profile is the measured facts about one token model (tokens/README.md explains each field and how
// it was measured). A missing profile is the most careful one: the defaults here.
struct Profile {
  std::string name = "generic";
  std::string model;                            // what it was measured on, for the reader
  std::chrono::milliseconds hang_limit{10000};  // a call that takes longer ends the tokenhost
  bool allowed_mechanisms = false;              // CKA_ALLOWED_MECHANISMS accepted and enforced
  bool public_key_info = false;                 // CKA_PUBLIC_KEY_INFO readable on the private key
  bool several_processes = true;                // two processes may use the token at once
  bool id_at_generation = true;                 // CKA_ID can be changed after generation
  bool hash_and_sign = true;                    // CKM_SHA256_RSA_PKCS and kin are offered
  std::vector<unsigned> rsa_bits;               // generated and used in a signature when measured
  std::vector<std::string> ec_curves;           // "P-256", ...
  std::vector<std::string> wrap;                // "aes256-wrap-pad", ...: what backups need
};

Result<Profile> ParseProfile(std::string_view text, std::string_view file);
std::string FormatProfile(const Profile& profile);

// LoadProfile reads DIRECTORY/NAME.toml; an empty name gives the generic profile.
Result<Profile> LoadProfile(const std::filesystem::path& directory, std::string_view name);

}  // namespace keybroker::token
