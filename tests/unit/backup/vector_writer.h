#pragma once

#include <string>

#include "keybroker/base/file.h"
#include "keybroker/base/hex.h"
#include "unit/backup/sample.h"

namespace keybroker::backup::test {

// VectorWriter writes the files of tests/vectors/backup, and the line of each in the list of what
// is expected of them.
struct VectorWriter {
  std::string directory;
  std::string list;

  bool Write(const std::string& name, const std::string& bytes, const std::string& outcome,
             const std::string& about) {
    list += name + " " + outcome + " " + about + "\n";
    return WriteUnlisted(name, bytes);
  }
  bool WriteUnlisted(const std::string& name, const std::string& bytes) const {
    return WriteFileAtomically(directory + "/" + name, bytes).has_value();
  }
};

// SpkiHash is the SHA-256 of the key's SubjectPublicKeyInfo, in hexadecimal.
inline std::string SpkiHash(const credential::test::TestKey& key) {
  const auto spki = key.Spki();
  return FileSha256({reinterpret_cast<const char*>(spki.data()), spki.size()});
}

// WriteCmsVectors writes the CMS backups, and the recovery key that opens them (recovery.pem).
bool WriteCmsVectors(VectorWriter& out);

}  // namespace keybroker::backup::test
