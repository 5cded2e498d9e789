#pragma once

#include <string>

#include "keybroker/backup/backup_file.h"
#include "unit/credential/test_pki.h"

namespace keybroker::backup::test {

inline constexpr char kPassword[] = "correct horse battery staple";

// SampleManifest is a manifest for the key.
Manifest SampleManifest(const credential::test::TestKey& key);

// kCheapIterations are for tests of something else than the derivation's cost; three bytes as an
// INTEGER, as the real number is.
inline constexpr uint32_t kCheapIterations = 70000;

// Sample is a whole backup of a P-256 key in memory, with a chain of two certificates; its key
// derivation and MAC are cheap, so that a test can check it thousands of times. Wrapped by OpenSSL.
Backup Sample();

// SampleFile is its bytes under kPassword.
std::string SampleFile(const Backup& backup = Sample());

// Edit replaces the first occurrence of one byte string by another of the same length.
std::string Edit(std::string bytes, const std::string& from, const std::string& to);

}  // namespace keybroker::backup::test
