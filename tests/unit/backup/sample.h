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

// CmsSample is a CMS backup of a P-256 key in memory with a chain of two certificates, for one
// recovery key; and who can make it anew.
struct CmsSample {
  credential::test::TestKey key = credential::test::TestKey::Ec();
  credential::test::TestKey recovery = credential::test::TestKey::Rsa();
  Backup backup;

  // RecoveryKey is the recovery key as PKCS#8.
  Secret RecoveryKey() const { return Pkcs8(recovery); }
  static Secret Pkcs8(const credential::test::TestKey& key);
};

CmsSample SampleCms();

// CmsFile signs the backup with the key and gives the file's bytes, whatever a reader thinks of
// them.
std::string CmsFile(Backup backup, const credential::test::TestKey& key);

// Edit replaces the first occurrence of one byte string by another of the same length.
std::string Edit(std::string bytes, const std::string& from, const std::string& to);

}  // namespace keybroker::backup::test
